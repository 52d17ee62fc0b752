#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Make the Debian packages: make deb. Prints the directory that has them.
#
# The root of the checkout has no debian/: a source tree is put together under the cache, with
# tools/debian as debian/, a changelog of one entry, and the documentation as HTML. DEBFULLNAME=
# and DEBEMAIL= name the maintainer, who is git's user otherwise. HTML=DIR has the documentation, if
# it was made before. Files have the time of the commit, SOURCE_DATE_EPOCH= if that is given.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

NEEDS="dh:debhelper dpkg-buildpackage:dpkg-dev fakeroot:fakeroot dh_sphinxdoc:sphinx-common \
	pkg-config:pkg-config $KSPAN_NEEDS_TOOL"

maintainer() {
	local name email
	name=${DEBFULLNAME:-$(git config user.name || :)}
	email=${DEBEMAIL:-$(git config user.email || :)}
	[ -n "$name" ] && [ -n "$email" ] ||
		die "nobody is named as the packages' maintainer." \
		    "Set DEBFULLNAME= and DEBEMAIL=, or git's user.name and user.email."
	echo "$name <$email>"
}

# assemble DIR VERSION
assemble() {
	local dir=$1 version=$2 who html
	who=$(maintainer)
	html=${HTML:-$(dirname "$("$KSPAN_TOP/tools/docs.sh" | tail -n 1)")}
	rm -rf "$dir"
	mkdir -p "$dir"
	(cd "$KSPAN_TOP" && source_files | xargs -0 cp -p --parents -t "$dir")
	cp -r "$dir/tools/debian" "$dir/debian"
	cp -r "$html" "$dir/html"
	rm -rf "$dir/html/.buildinfo" "$dir/html/objects.inv"
	sed -i "s/@VERSION@/$version/g; s/@MAINTAINER@/$who/" "$dir"/debian/control "$dir"/debian/kspan-dkms.p*
	cat >"$dir/debian/changelog" <<END
kspan ($version) unstable; urgency=medium

  * $version. The documentation has the news.

 -- $who  $(date -R -d "@$SOURCE_DATE_EPOCH")
END
	find "$dir" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
}

main() {
	local version out
	need_packages $NEEDS
	cd "$KSPAN_TOP"
	version=$("$KSPAN_TOP/tools/version.sh")
	SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || stat -c %Y dkms.conf)}
	export SOURCE_DATE_EPOCH
	out=$KSPAN_CACHE/deb/$version
	rm -rf "$out"
	assemble "$out/kspan-$version" "$version"
	info "building the packages of kspan $version"
	(cd "$out/kspan-$version" && dpkg-buildpackage -b -us -uc) >"$out/build.log" 2>&1 </dev/null || {
		tail -n 20 "$out/build.log" >&2
		die "building the packages failed." "The log: $out/build.log"
	}
	rm -rf "$out/kspan-$version"
	(cd "$out" && sha256sum ./*.deb >SHA256SUMS)
	echo "$out"
}

main "$@"
