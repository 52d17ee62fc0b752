/* SPDX-License-Identifier: GPL-2.0 */
/* The map as an SVG, for kspan map and kspan report --html */
#ifndef KSPAN_MAP_H
#define KSPAN_MAP_H

#include "pages.h"

/* @scale 0: chosen, by how many pages there are */
void map_put_svg(FILE *to, const struct page_map *map, unsigned int scale);

#endif
