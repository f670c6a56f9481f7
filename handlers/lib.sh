# shellcheck shell=sh
# What the handlers share: the event, its checked fields, an end in words.
#
#   . "$(dirname -- "$(readlink -f -- "$0")")/lib.sh"
#   read_event
#
# After that the event is in $work/event, and $work is a private directory that
# is gone when the handler ends.  Nothing else of an event is to be trusted: a
# field gets into a name, a path or an address by field() alone, whose pattern
# says what it may be.  See debmsg-handlers(7).
set -euf
umask 077
# Ranges like [a-z] mean these bytes, whatever the user's language is.
export LC_ALL=C

handler=$(basename -- "$0")
max_event=1048576
max_size=4294967296 # of a file that is fetched

### The end

# Without what a terminal would obey; the keeper shows it to an admin.
say() {
	printf '%s: %s\n' "$handler" "$*" | tr -d '\000-\010\013-\037\177' >&2
}

nothing_to_do() {
	say "nothing to do: $*"
	exit 0
}

again() {
	say "$*; to be tried again"
	exit 75
}

failed() {
	say "$*"
	exit 1
}

refuse() {
	say "$*"
	exit 65
}

misconfigured() {
	say "$*; see debmsg-handler-$handler(1)"
	exit 78
}

cleanup() {
	status=$?
	trap '' INT TERM HUP
	# a build may leave directories that are not to be written
	[ -z "${work-}" ] || rm -rf -- "$work" 2>/dev/null ||
		{ chmod -R u+rwX -- "$work" && rm -rf -- "$work"; } || :
	exit "$status"
}

needs() {
	for tool in "$@"; do
		command -v "$tool" >/dev/null || misconfigured "$tool is not installed"
	done
}

### The event

make_work() {
	needs jq
	trap cleanup EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
	work=$(mktemp -d "${TMPDIR:-/tmp}/debmsg-$handler.XXXXXX") || again "no temporary directory"
}

read_event() {
	make_work
	head -c $((max_event + 1)) >"$work/event" || again "the event cannot be read"
	[ "$(wc -c <"$work/event")" -le $max_event ] || refuse "the event is larger than $max_event bytes"
	jq -es 'length == 1 and (.[0] | type == "object" and (.data | type) == "object" and
		([.source, .id, .type] | all(type == "string" and length > 0 and length <= 1000)))' \
		"$work/event" >/dev/null 2>&1 || refuse "standard input is not an event"
}

# Policy 5.6.1, 5.6.12; names as dak writes them; a regular expression each.
# shellcheck disable=SC2034 # for the handlers
{
	a_package='[a-z0-9][a-z0-9+.-]{1,199}'
	a_version='([0-9]{1,10}:)?[0-9A-Za-z][0-9A-Za-z.+~-]{0,199}'
	a_file='[A-Za-z0-9][A-Za-z0-9_.~+-]{0,229}'
	a_sha256='[0-9a-f]{64}'
}

# field JQ-PATH PATTERN: the string there, if all of it matches; else fails.
# A string that does not exist, is too long or goes on after a newline does not.
field() {
	jq -er --arg pattern "\\A(?:$2)\\z" \
		"$1 | select(type == \"string\" and length <= 1000 and test(\$pattern))" "$work/event"
}

# needed NAME JQ-PATH PATTERN: likewise, and refuses the event if there is none.
needed() {
	field "$2" "$3" || refuse "the event has no proper $1"
}

# For jq: line(MAX) is text in one line for people, without characters that act.
# Cc, Cf: control and format characters, those that turn the direction too.
# shellcheck disable=SC2016,SC2034
jq_line='def cut($max): if length > $max then .[0:$max - 1] + "…" else . end;
	def line($max): if type == "string" then .[0:4000] else "" end
		| gsub("[\\p{Cc}\\p{Cf}\\p{Zl}\\p{Zp}\\s]+"; " ") | sub("\\A "; "") | sub(" \\z"; "")
		| cut($max);
	'

# Whether it is one of those types, given as `dak.upload.accept`.
is_type() {
	for type in "$@"; do
		field .type "org\\.debian\\.[a-z]+\\.$(printf %s "$type" | sed 's/\./\\./g')" >/dev/null &&
			return 0
	done
	return 1
}

# for_suites: ends well where HANDLER_SUITES is set and has none of the event's,
# if that names any.
for_suites() {
	[ -n "${HANDLER_SUITES-}" ] || return 0
	jq -e --arg wanted "$HANDLER_SUITES" '[.data.suites[]?]
		| length == 0 or length > (. - ($wanted | split(" ")) | length)' \
		"$work/event" >/dev/null 2>&1 || nothing_to_do "it is in none of: $HANDLER_SUITES"
}

### Configuration

# setting NAME VALUE: must be set.
setting() {
	[ -n "$2" ] || misconfigured "$1 is not set"
}

# a_number NAME VALUE
a_number() {
	printf '%s\n' "$2" | grep -qxE '[1-9][0-9]{0,14}|0' || misconfigured "$1 is not a number"
}

# a_url NAME VALUE: of a server we talk to with a token.
a_url() {
	case $2 in
	https://?* | http://?*) ;;
	*) misconfigured "$1 is neither https:// nor http://" ;;
	esac
}

# a_directory NAME VALUE: must be an absolute path.
a_directory() {
	case $2 in
	/*) ;;
	*) misconfigured "$1 is not an absolute path" ;;
	esac
}

# check_secret NAME FILE: fails unless only its owner and group can read it.
check_secret() {
	{ [ -r "$2" ] && [ -s "$2" ]; } || misconfigured "$1: $2 cannot be read, or is empty"
	[ -z "$(find -L "$2" -maxdepth 0 -perm /007)" ] ||
		misconfigured "$1: $2 is open to everybody; chmod o= it"
}

# keep FILE-OR-DIRECTORY TARGET: puts it there in one step, over what is there.
keep() {
	mkdir -p -- "$(dirname -- "$2")" || again "$2: its directory cannot be made"
	rm -rf -- "$2.new"
	cp -R -- "$1" "$2.new" || again "$2 cannot be written"
	find "$2.new" \( -type f -o -type d \) -exec sync -d {} + || again "$2 does not get onto the disk"
	[ ! -d "$2.new" ] || rm -rf -- "$2"
	mv -T -- "$2.new" "$2" || again "$2 cannot be written"
	sync -- "$(dirname -- "$2")" || again "$2 does not get onto the disk"
}

### What an upload brought

# fetch_one BASE PATH SIZE FILE
fetch_one() {
	case $1 in
	/*) cp -- "$1/$2" "$4" ;;
	http://* | https://*)
		# A server may send more than it said; ulimit counts in 512 bytes.
		(
			ulimit -f $(($3 / 512 + 1))
			exec curl -q --silent --show-error --fail --globoff \
				--proto '=http,https' --proto-redir '=http,https' --location --max-redirs 5 \
				--connect-timeout 30 --max-time "${HANDLER_TIMEOUT:-1800}" \
				--speed-limit 100 --speed-time 60 \
				--max-filesize "$3" --output "$4" -- "$1/$2"
		)
		;;
	*) misconfigured "HANDLER_ARCHIVE: $1 is neither http://, https:// nor an absolute path" ;;
	esac
}

# fetch PATH SIZE SHA256 FILE: from the first base that has it.  What is not
# what the event named is not looked at, and does not stay.
fetch() {
	[ "$2" -le "${HANDLER_MAX_SIZE:-$max_size}" ] || refuse "$1 has $2 bytes, more than HANDLER_MAX_SIZE"
	wrong=
	for base in $HANDLER_ARCHIVE; do
		rm -f -- "$4"
		fetch_one "${base%/}" "$1" "$2" "$4" || continue
		if [ "$(wc -c <"$4")" -eq "$2" ] && [ "$(sha256sum <"$4")" = "$3  -" ]; then
			return 0
		fi
		wrong="$wrong ${base%/}/$1"
	done
	rm -f -- "$4"
	[ -z "$wrong" ] || refuse "not what was accepted, by size or SHA-256:$wrong"
	again "$1 is not to be had"
}

# upload_files: what the upload brought, into $work/files: name, size, SHA-256
# and component, in lines.  Sets $source.
upload_files() {
	a_number HANDLER_MAX_SIZE "${HANDLER_MAX_SIZE:-$max_size}"
	a_number HANDLER_TIMEOUT "${HANDLER_TIMEOUT:-1800}"
	is_type dak.upload.accept || refuse "this is not an accepted upload"
	for_suites
	setting HANDLER_ARCHIVE "${HANDLER_ARCHIVE-}"
	needs curl sha256sum
	source=$(needed "data.source" .data.source "$a_package")
	# shellcheck disable=SC2034 # for the handlers
	changes=$(needed "data.changes" .data.changes "$a_file\\.changes")
	jq -e '.data.files | type == "array" and length > 0' "$work/event" >/dev/null ||
		refuse "the event does not say which files"
	jq -er --arg file "\\A$a_file\\z" --arg sha256 "\\A$a_sha256\\z" '.data.files[]
		| if (.name | type == "string" and test($file)) and
			(.size | type == "number" and . >= 0 and . <= 1e15 and floor == .) and
			(.sha256 | type == "string" and test($sha256)) and (.section | type == "string")
		then [.name, (.size | tostring), .sha256,
			(.section | if test("\\A[a-z0-9-]{1,50}/") then split("/")[0] else "main" end)]
		else error("") end | join(" ")' \
		"$work/event" >"$work/files" 2>/dev/null ||
		refuse "the event has a file without proper name, size, SHA-256 and section"
	# dak.common: fewer than files_total where the event would be too large
	jq -e '.data.files_total == (.data.files | length)' "$work/event" >/dev/null ||
		say "the event names only some of the upload's files"
}

# in_pool COMPONENT: the directory of $source.
in_pool() {
	case $source in
	lib?*) printf 'pool/%s/%.4s/%s' "$1" "$source" "$source" ;;
	*) printf 'pool/%s/%.1s/%s' "$1" "$source" "$source" ;;
	esac
}

# fetch_binaries PATTERN…: the packages whose names match a shell pattern.  Not
# those with debug symbols, which are in another archive.
fetch_binaries() {
	while read -r name size sha256 component <&3; do
		for pattern in "$@"; do
			# shellcheck disable=SC2254 # a pattern
			case $name in
			*-dbgsym_*) ;;
			$pattern) fetch "$(in_pool "$component")/$name" "$size" "$sha256" "$work/upload/$name" ;;
			esac
		done
	done 3<"$work/files"
}

# fetch_source: the .dsc as the event names it, and the files as the .dsc names
# them.  Sets $dsc; it is empty where the upload brought no source.
fetch_source() {
	dsc=
	while read -r name size sha256 component <&3; do
		case $name in
		*.dsc)
			[ -z "$dsc" ] || refuse "the event names two .dsc"
			[ "$size" -le "$max_event" ] || refuse "$name has $size bytes"
			dsc=$work/upload/$name pool=$(in_pool "$component")
			fetch "$pool/$name" "$size" "$sha256" "$dsc"
			;;
		esac
	done 3<"$work/files"
	[ -n "$dsc" ] || return 0
	awk '/^[^ \t]/ { on = tolower($1) == "checksums-sha256:" && !seen++ } /^[ \t]/ && on { print $1, $2, $3, NF }' \
		"$dsc" >"$work/parts"
	[ -s "$work/parts" ] || refuse "${dsc##*/} names no files"
	! grep -qvE "^$a_sha256 [0-9]{1,15} $a_file 3\$" "$work/parts" ||
		refuse "${dsc##*/} has a file without proper name, size and SHA-256"
	while read -r sha256 size name _ <&3; do
		fetch "$pool/$name" "$size" "$sha256" "$work/upload/$name"
	done 3<"$work/parts"
}

### Building

# run_sbuild DSC OPTION…: builds into the current directory.  Ends as sbuild does,
# with the end of its log as the last thing that is said.
run_sbuild() (
	built=$1
	shift
	status=0
	# shellcheck disable=SC2086,SC2153 # lists; yes, HANDLER_SUITE
	sbuild --no-run-lintian --dist "$HANDLER_SUITE" ${HANDLER_CHROOT:+--chroot "$HANDLER_CHROOT"} \
		${HANDLER_SBUILD_OPTIONS-} "$@" -- "$built" </dev/null >sbuild.out 2>&1 || status=$?
	if [ $status != 0 ]; then
		# with the time in its name: the last one
		log=$(find . -maxdepth 1 -type f -name '*.build' | sort | tail -n 1)
		[ -z "$log" ] || tail_of "$log"
		tail_of sbuild.out
	fi
	exit $status
)

# tail_of FILE: its end, fit for a terminal.
tail_of() {
	tail -n 20 -- "$1" | tr -d '\000-\010\013-\037\177' | cut -c 1-200 >&2
}

# run_lintian REPORT FILE…: ends as lintian does; what it says about itself is in
# $work/lintian.err.
run_lintian() (
	report=$1
	shift
	# shellcheck disable=SC2086 # a list
	TMPDIR=$work exec lintian --no-cfg --no-user-dirs --color never --fail-on "${HANDLER_FAIL_ON:-none}" \
		${HANDLER_LINTIAN_OPTIONS-} -- "$@" </dev/null >"$report" 2>"$work/lintian.err"
)
