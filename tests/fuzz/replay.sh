#!/bin/sh
# Runs every fuzz target once on each file of its kept corpus.
set -eu

for corpus in "$DEBMSG_SRCDIR"/tests/fuzz/corpus/*; do
	"$DEBMSG_BUILDDIR/tests/fuzz/fuzz-${corpus##*/}" "$corpus"/*
done
