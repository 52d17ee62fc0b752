#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Make patches that put kspan into a kernel's tree, as mm/kspan: make patch. Prints the directory
# that has them; git am or patch -p1 applies them in the top directory of that tree.
#
# KERNEL= names the kernel (default 6.12), KSRC= a source tree of your own. CONFIG_KSPAN=m makes the
# module, and CONFIG_KSPAN=y has kspan in the kernel, where code that is built in can use it, too.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

KERNEL=${KERNEL:-6.12}
# What the patches change; everything else of theirs is new.
CHANGED="mm/Kconfig mm/Makefile Documentation/mm/index.rst MAINTAINERS"
PAGES="api parameters debugfs"

put_sources() {
	mkdir -p mm include
	(cd "$KSPAN_TOP" && source_files '^module/' | xargs -0 cp --parents -t "$OLDPWD")
	rm module/base/stretch.*
	mv module/include/linux include/linux
	rmdir module/include
	mv module mm/kspan
	{
		printf '# SPDX-License-Identifier: GPL-2.0\n\n'
		printf 'ccflags-y := -I$(srctree)/mm/kspan\n'
		sed -n '/^# What is no macro/,/^ccflags-y += \$(call has/p' "$KSPAN_TOP/Kbuild"
		printf "CFLAGS_main.o += -DKSPAN_VERSION='\"%s\"'\n\n" "$VERSION"
		printf 'obj-$(CONFIG_KSPAN) += kspan.o\n'
		sed -n '/^kspan-y :=/,/[^\\]$/p' "$KSPAN_TOP/Kbuild" | sed 's|module/||'
	} >mm/kspan/Makefile
	cat >mm/kspan/Kconfig <<-'END'
	# SPDX-License-Identifier: GPL-2.0
	config KSPAN
		tristate "kspan: a general-purpose heap for kernel modules"
		depends on 64BIT
		help
		  A heap built like the Go runtime's allocator, beside SLUB: calls
		  like kmalloc()'s for objects of any size, private heaps with
		  limits, typed caches, regions and object pools, and statistics
		  in debugfs. It refuses wrong frees. Nothing uses it by itself.

		  To compile it as a module, choose M here: the module will be
		  called kspan.

		  If unsure, say N.
	END
	sed -i '/^source "mm\/damon\/Kconfig"$/a\\nsource "mm/kspan/Kconfig"' mm/Kconfig
	sed -i '/^obj-\$(CONFIG_DAMON) += damon\/$/a obj-$(CONFIG_KSPAN) += kspan/' mm/Makefile
}

# Links to pages that are not among these would be broken.
put_documentation() {
	local page keep=${PAGES// /|}
	mkdir -p Documentation/mm/kspan
	for page in $PAGES; do
		sed -E "s/:doc:\`($keep)\`/:doc-kept:\`\1\`/g; s/:doc:\`([a-z]+)\`/\`\`\1.rst\`\` of kspan's own tree/g;
			s/:doc-kept:/:doc:/g" "$KSPAN_TOP/Documentation/$page.rst" >"Documentation/mm/kspan/$page.rst"
	done
	cat >Documentation/mm/kspan/index.rst <<-END
	.. SPDX-License-Identifier: GPL-2.0

	=====
	kspan
	=====

	A general-purpose heap for kernel modules, built like the Go runtime's allocator.

	.. toctree::
	   :maxdepth: 1

	$(printf '   %s\n' $PAGES)
	END
	sed -i '/^   ksm$/a\   kspan/index' Documentation/mm/index.rst
}

# In the place that the alphabet gives it, after the marker of the list.
put_maintainers() {
	local who
	who=$(git -C "$KSPAN_TOP" log -1 --format='%an <%ae>' 2>/dev/null || git config user.name)
	awk -v who="$who" '
		function entry() {
			print "KSPAN HEAP FOR MODULES"
			print "M:\t" who
			print "L:\tlinux-mm@kvack.org"
			print "S:\tMaintained"
			print "F:\tDocumentation/mm/kspan/"
			print "F:\tinclude/linux/kspan*.h"
			print "F:\tmm/kspan/\n"
		}
		/^Maintainers List$/ { listed = 1 }
		{ line[NR] = $0; if (listed && /^[A-Z]:\t/ && line[NR - 2] == "") title[NR - 1] = 1 }
		END {
			for (i = 1; i <= NR; i++) {
				# Some titles elsewhere are out of order.
				if (title[i] && !done && last ~ /^K/ && line[i] > "KSPAN") { entry(); done = 1 }
				if (title[i]) last = line[i]
				print line[i]
			}
		}' MAINTAINERS >MAINTAINERS.new
	mv MAINTAINERS.new MAINTAINERS
}

# commit SUBJECT < BODY: fails where nothing was changed
commit() {
	git add -A
	git -c user.name="The kspan developers" -c user.email=kspan@example.org \
		commit -q -m "$1" -m "$(cat)"
}

main() {
	local source out work
	[ $# -eq 0 ] || die "usage: tools/patch.sh"
	need_packages git:git
	source=$("$KSPAN_TOP/tools/kernel.sh" --source "$KERNEL")
	VERSION=$("$KSPAN_TOP/tools/version.sh")
	out=$KSPAN_CACHE/patch/$VERSION-$KERNEL
	work=$(mktemp -d)
	# shellcheck disable=SC2064
	trap "rm -rf '$work'" EXIT
	rm -rf "$out"
	mkdir -p "$out"
	(cd "$source" && cp --parents -t "$work" $CHANGED)
	cd "$work"
	git init -q
	echo "What the patches change of Linux $KERNEL." | commit "base"
	put_sources
	commit "mm/kspan: add a general-purpose heap for modules" <<-END
	kspan $VERSION, a heap built like the Go runtime's allocator, beside SLUB. Nothing of the
	kernel uses it by itself.
	END
	put_documentation
	echo "The rules of the calls, the parameters, and the tables of debugfs." |
		commit "Documentation/mm: describe kspan"
	put_maintainers
	echo "An entry for mm/kspan." | commit "MAINTAINERS: add kspan"
	git format-patch -q --zero-commit --no-signature -o "$out" HEAD~3
	info "patches for Linux $KERNEL:" "$out"/*.patch
	echo "$out"
}

main "$@"
