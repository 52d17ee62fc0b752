# SPDX-License-Identifier: GPL-2.0
#
# Sphinx's configuration. `make docs` runs Sphinx by way of tools/docs.sh, which sets
# KSPAN_TOP, the checkout, and KSPAN_KERNEL_SOURCE, a kernel source with kernel-doc. The
# comments are read from copies of the sources in tree/, see sphinx/generate.py.

import os
import re
import sys

TOP = os.environ['KSPAN_TOP']
KERNEL = os.environ['KSPAN_KERNEL_SOURCE']

# The kernel's own extension, which calls its scripts/kernel-doc.
sys.path.insert(0, os.path.join(KERNEL, 'Documentation', 'sphinx'))


def version_of_module():
    with open(os.path.join(TOP, 'dkms.conf'), encoding='utf-8') as file:
        return re.search(r'^PACKAGE_VERSION="(.*)"$', file.read(), re.M).group(1)


project = 'kspan'
author = 'the kspan developers'
copyright = author
version = release = version_of_module()

extensions = ['kerneldoc', 'automarkup']
kerneldoc_bin = os.path.join(KERNEL, 'scripts', 'kernel-doc')
kerneldoc_srctree = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'tree')

root_doc = 'index'
language = 'en'
primary_domain = 'c'
highlight_language = 'none'
exclude_patterns = ['sphinx', 'tree']
c_id_attributes = ['__must_check', '__always_inline', '__user']
c_paren_attributes = ['__alloc_size', '__realloc_size', '__printf']

html_theme = 'alabaster'
html_theme_options = {
    'description': 'A heap for kernel modules, built like the Go runtime\'s allocator',
    'page_width': '1180px',
    'sidebar_width': '260px',
    'fixed_sidebar': True,
}
html_show_copyright = False
html_copy_source = False
html_show_sourcelink = False
