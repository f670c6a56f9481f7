#!/bin/sh
# doc/security.md says which test shows what: each file that it names is there, the case stands
# in it, and no claim is without.
set -eu

page=$DEBMSG_SRCDIR/doc/security.md
work=$(mktemp -d "${TMPDIR:-/tmp}/debmsg.XXXXXX")
trap 'rm -rf "$work"' EXIT

fail() {
	echo "FAIL: doc/security.md: $*" >&2
	exit 1
}

# FILE, or FILE: CASE, in backticks and on one line.
# shellcheck disable=SC2016 # backticks, as they are
grep -o '`tests/[^`]*`' "$page" | tr -d '`' >"$work/named"
while read -r line; do
	file=${line%%: *}
	[ -f "$DEBMSG_SRCDIR/$file" ] || fail "there is no $file"
	[ "$line" = "$file" ] || grep -qF -e "${line#*: }" "$DEBMSG_SRCDIR/$file" || fail "no such case: $line"
done <"$work/named"

# The rows of the tables whose second column is "shown by".
awk '
	/^\|/ { if (inside && !/^\|---/) print; if (/\| shown by \|$/) inside = 1; next }
	{ inside = 0 }' "$page" >"$work/claims"
# shellcheck disable=SC2016
grep -v '`tests/[^`]*` |$' "$work/claims" >"$work/bare" && fail "no test shows: $(cat "$work/bare")"

for list in named claims; do
	[ "$(wc -l <"$work/$list")" -ge 50 ] || fail "this test does not find what is $list any more"
done
