# shellcheck shell=sh
# The demonstrations of ./quickstart demo, one function per service.  Each gives
# its adapter what the service writes, in the service's own format, and adds to
# $expected how many events that must make.  $dir is the bus's directory.
# shellcheck disable=SC2154 # quickstart sets what is used here

# shellcheck disable=SC2034 # quickstart's
demonstrations='alioth dak wiki planet'

# No setting of the user's own git may change what is shown.
demo_git() {
	GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 git \
		-c user.name='Demo Developer' -c user.email=developer@demo.example \
		-c init.defaultBranch=main "$@" >&2
}

demo_commit() {
	echo "$2" >>"$1/README"
	demo_git -C "$1" add README
	demo_git -C "$1" commit --quiet -m "$2"
}

demo_alioth() {
	progress "alioth: pushing a branch, a tag and a second commit with git"
	repository=$dir/git/demo/hello.git
	clone=$dir/hello
	demo_git init --quiet --bare "$repository"
	cat >"$repository/hooks/post-receive" <<-EOF
	#!/bin/sh
	DEBMSG_CONF='$dir/debmsg.conf' exec $(quoted "$builddir/debmsg-alioth") git
	EOF
	chmod 755 "$repository/hooks/post-receive"
	demo_git init --quiet "$clone"
	demo_commit "$clone" 'Say hello'
	demo_git -C "$clone" push "$repository" main
	demo_git -C "$clone" tag -a -m 'First release' v1.0
	demo_git -C "$clone" push "$repository" v1.0
	demo_commit "$clone" 'Say hello twice'
	demo_git -C "$clone" push "$repository" main
	expected=$((expected + 3))
}

# watched SERVICE: what is there already is new to the adapter.
watched() {
	"$builddir/debmsg-$1" --once --from-start || die 69 "debmsg-$1 failed; its message is above"
}

# dak writes a mail and a line of its log for the same upload: one event.
demo_dak() {
	progress "dak: an upload is accepted into unstable"
	changes=hello_2.10-3_source.changes
	mkdir -p "$dir/dak/mail" "$dir/dak/log"
	cat >"$dir/changes" <<-'EOF'
	Format: 1.8
	Date: Sun, 22 Nov 2026 10:15:00 +0000
	Source: hello
	Architecture: source
	Version: 2.10-3
	Distribution: unstable
	Urgency: medium
	Maintainer: Demo Developer <developer@demo.example>
	Changed-By: Demo Developer <developer@demo.example>
	Closes: 1000001
	Changes:
	 hello (2.10-3) unstable; urgency=medium
	 .
	   * Say hello to everybody.  (Closes: #1000001)
	Checksums-Sha1:
	 da39a3ee5e6b4b0d3255bfef95601890afd80709 1183 hello_2.10-3.dsc
	Checksums-Sha256:
	 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 1183 hello_2.10-3.dsc
	Files:
	 d41d8cd98f00b204e9800998ecf8427e 1183 devel optional hello_2.10-3.dsc
	EOF
	gpg --homedir "$dir/gnupg" --batch --quiet --clearsign "$dir/changes"
	python3 - "$dir/changes.asc" "$changes" >"$dir/dak/mail.new" <<-'EOF'
	import email.message, email.policy, sys
	mail = email.message.EmailMessage()
	for name, value in {
	    "From": "Debian FTP Masters <ftpmaster@demo.example>",
	    "To": "Demo Developer <developer@demo.example>",
	    "X-DAK": "dak process-upload",
	    "X-Debian": "DAK",
	    "Debian": "DAK",
	    "Debian-Changes": sys.argv[2],
	    "Debian-Source": "hello",
	    "Debian-Version": "2.10-3",
	    "Debian-Architecture": "source",
	    "Debian-Suite": "unstable",
	    "Debian-Archive-Action": "accept",
	    "Subject": sys.argv[2] + " ACCEPTED into unstable",
	}.items():
	    mail[name] = value
	mail.set_content("\nThank you for your contribution to Debian.\n\n\n\nAccepted:\n\n" + open(sys.argv[1]).read() + "\n",
	                 charset="utf-8", cte="quoted-printable")
	sys.stdout.buffer.write(mail.as_bytes())
	EOF
	mv "$dir/dak/mail.new" "$dir/dak/mail/2026-11-22T10:20:00.123456"
	log() {
		printf '%s|process-upload|dak|%s\n' "$(date +%Y%m%d%H%M%S)" "$1" >>"$dir/dak/log/$(date +%Y-%m)"
	}
	log 'program start'
	log "Processing changes file|$changes"
	log "ACCEPT|$changes"
	log 'total|1|1183'
	log 'program end'
	watched dak
	expected=$((expected + 1))
}

# A page is made, edited and deleted: MoinMoin's log calls the deletion a save,
# but there is no such revision.
demo_wiki() {
	progress "wiki: a page is made, edited and deleted"
	data=$dir/wiki/data
	revisions="$data/pages/Demo(2f)Hello/revisions"
	mkdir -p "$revisions"
	saved() {
		printf '%s000000\t%08d\t%s\tDemo(2f)Hello\t192.0.2.7\thost.demo.example\t1405902296.85.43837\t\t%s\n' \
			"$(date +%s)" "$1" "$2" "$3" >>"$data/edit-log"
		printf '%08d\n' "$1" >"$data/pages/Demo(2f)Hello/current"
	}
	echo 'Hello.' >"$revisions/00000001"
	saved 1 SAVENEW 'a page to play with'
	echo 'Hello, everybody.' >"$revisions/00000002"
	saved 2 SAVE 'friendlier'
	saved 3 SAVE 'not needed any more'
	watched wiki
	expected=$((expected + 3))
}

demo_planet() {
	progress "planet: a feed is subscribed to, and a post of it appears"
	mkdir -p "$dir/planet"
	cat >"$dir/planet/config.ini" <<-'EOF'
	[Planet]
	name = Planet Demo
	link = https://planet.demo.example/

	[https://blog.demo.example/feed.atom]
	name = Demo Developer
	EOF
	cat >"$dir/planet/atom.xml" <<-'EOF'
	<?xml version="1.0"?>
	<feed xmlns="http://www.w3.org/2005/Atom">
	  <title>Planet Demo</title>
	  <updated>2026-11-22T10:30:00Z</updated>
	  <id>https://planet.demo.example/atom.xml</id>
	  <entry>
	    <id>tag:blog.demo.example,2026:hello</id>
	    <title type="html">Hello &amp;amp; welcome</title>
	    <link href="https://blog.demo.example/hello" rel="alternate"/>
	    <updated>2026-11-22T10:25:00Z</updated>
	    <content type="html">&lt;p&gt;Everything is signed now.&lt;/p&gt;</content>
	    <author><name>Demo Developer</name></author>
	    <source>
	      <id>https://blog.demo.example/feed.atom</id>
	      <link href="https://blog.demo.example/feed.atom" rel="self"/>
	      <title>Demo Developer</title>
	    </source>
	  </entry>
	</feed>
	EOF
	watched planet
	expected=$((expected + 2))
}
