/* ranges.c: see ranges.h. */
#include "storage/ranges.h"

#include "protocol/base/assert.h"
#include "protocol/base/memory.h"
#include "storage/ikey.h"

#include <stdatomic.h>
#include <stdlib.h>

struct point {
    uint32_t key; /* where its row starts in keys */
    uint32_t key_bytes;
    size_t first_cover; /* its covers go up to those of the next point */
};

struct range_set {
    _Atomic uint32_t refs; /* acq_rel on the way down */
    struct point *points;  /* owned; ascending; the last one has no covers; never empty */
    size_t point_count;
    struct range_cover *covers; /* owned; those of one point descending */
    size_t cover_count;
    uint8_t *keys; /* owned */
    size_t key_bytes;
};

static struct slice point_row(const struct range_set *set, size_t index) {
    return slice_make(set->keys + set->points[index].key, set->points[index].key_bytes);
}

static size_t covers_end(const struct range_set *set, size_t index) {
    return index + 1 < set->point_count ? set->points[index + 1].first_cover : set->cover_count;
}

/* ---- Making one -------------------------------------------------------------------------------
 */

/* A set in the making: points come in order. */
struct build {
    struct range_set *set; /* owned */
    size_t cover_capacity;
    struct buffer keys;
    const struct keep_rules *rules; /* or NULL */
    struct keep_namespace keep;     /* of the point's namespace; valid with rules */
    bool keep_known;
};

static void set_free(struct range_set *set) {
    memory_free(set->points);
    memory_free(set->covers);
    memory_free(set->keys);
    memory_free(set);
}

static enum status build_init(struct build *build, size_t points_max,
                              const struct keep_rules *rules) {
    *build = (struct build){.rules = rules, .set = memory_alloc_zeroed(sizeof *build->set)};
    buffer_init(&build->keys, UINT32_MAX);
    if (!build->set) {
        return STATUS_NO_MEMORY;
    }
    atomic_init(&build->set->refs, 1);
    build->set->points = memory_alloc_array(points_max, sizeof *build->set->points);
    return build->set->points ? STATUS_OK : STATUS_NO_MEMORY;
}

static void build_abandon(struct build *build) {
    buffer_deinit(&build->keys);
    if (build->set) {
        set_free(build->set);
    }
}

static struct range_set *build_end(struct build *build) {
    struct range_set *set = build->set;

    if (set->point_count == 0) {
        build_abandon(build);
        return NULL;
    }
    set->keys = build->keys.data;
    set->key_bytes = build->keys.len;
    return set;
}

static enum status room_for_covers(struct build *build, size_t count) {
    struct range_set *set = build->set;
    size_t capacity = build->cover_capacity ? build->cover_capacity : 16;
    struct range_cover *covers;

    if (build->cover_capacity - set->cover_count >= count) {
        return STATUS_OK;
    }
    while (capacity - set->cover_count < count) {
        capacity *= 2;
    }
    covers = memory_resize(set->covers, capacity * sizeof *covers);
    if (!covers) {
        return STATUS_NO_MEMORY;
    }
    set->covers = covers;
    build->cover_capacity = capacity;
    return STATUS_OK;
}

/* Whether an older cover may go because of the newer one. What is not visible yet for the one who
 * made the rules hides nothing: readers between the two are still to come. */
static bool cover_goes(const struct build *build, uint64_t version, uint64_t newer) {
    return build->rules && newer != VERSION_NONE && newer <= keep_rules_visible(build->rules) &&
           keep_rules_hidden_goes(build->rules, &build->keep, version, newer, 1);
}

static bool rest_goes(const struct build *build, uint64_t version) {
    return build->rules && version <= keep_rules_visible(build->rules) &&
           keep_rules_rest_goes(build->rules, &build->keep, version, 0);
}

static void know_keep(struct build *build, struct slice row) {
    uint32_t namespace_id = row_namespace(row);

    if (build->rules && (!build->keep_known || build->keep.namespace_id != namespace_id)) {
        build->keep = keep_rules_namespace(build->rules, namespace_id);
        build->keep_known = true;
    }
}

/* Appends those of the covers (descending) that have to stay; one of each version. */
static enum status add_covers(struct build *build, const struct range_cover *covers, size_t count) {
    struct range_set *set = build->set;
    uint64_t newer = VERSION_NONE;

    for (size_t i = 0; i < count && !(newer != VERSION_NONE && rest_goes(build, newer)); i++) {
        enum status status;
        if (covers[i].version == newer || cover_goes(build, covers[i].version, newer)) {
            continue;
        }
        status = room_for_covers(build, 1);
        if (status != STATUS_OK) {
            return status;
        }
        newer = covers[i].version;
        set->covers[set->cover_count++] = covers[i];
    }
    return STATUS_OK;
}

/* Whether the covers from `first` on are those of the last point, which then goes on at `row`. No
 * point at all has none; no point with covers goes on into another namespace. */
static bool equals_last(const struct build *build, struct slice row, size_t first) {
    const struct range_set *set = build->set;
    size_t count = set->cover_count - first;
    size_t last = first;

    if (set->point_count > 0) {
        struct point point = set->points[set->point_count - 1];
        struct slice before = slice_make(build->keys.data + point.key, point.key_bytes);
        last = point.first_cover;
        if (count > 0 && row_namespace(row) != row_namespace(before)) {
            return false;
        }
    }
    if (first - last != count) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (set->covers[last + i].version != set->covers[first + i].version) {
            return false;
        }
    }
    return true;
}

/* The next point: from `row` on these covers (descending) hold. */
static enum status build_point(struct build *build, struct slice row,
                               const struct range_cover *covers, size_t count) {
    struct range_set *set = build->set;
    size_t first = set->cover_count;
    size_t key = build->keys.len;
    enum status status;

    know_keep(build, row);
    status = add_covers(build, covers, count);
    if (status != STATUS_OK || equals_last(build, row, first)) {
        set->cover_count = first;
        return status;
    }
    status = buffer_append(&build->keys, row.ptr, row.len);
    if (status == STATUS_OK) {
        set->points[set->point_count++] = (struct point){
            .key = (uint32_t)key, .key_bytes = (uint32_t)row.len, .first_cover = first};
    }
    return status;
}

/* ---- Adding range deletes ---------------------------------------------------------------------
 */

enum edge_kind { EDGE_POINT, EDGE_START, EDGE_END };

/* A place where covers change. */
struct edge {
    struct slice row; /* borrowed from the base, or from the sweep's rows */
    enum edge_kind kind;
    size_t index; /* of a point of the base, or of a range delete */
};

struct sweep {
    const struct range_set *base; /* or NULL */
    const struct range_delete *deletes;
    size_t delete_count;
    uint8_t *rows;            /* owned: of the ends of the range deletes */
    struct edge *edges;       /* owned */
    struct range_cover *open; /* owned: range deletes around the present place, descending */
    struct range_cover *both; /* owned: those and the covers of the base */
    size_t edge_count;
    size_t open_count;
    size_t base_point; /* points of the base up to the present place */
};

static size_t rows_bytes(const struct range_delete *deletes, size_t count) {
    size_t bytes = 0;

    for (size_t i = 0; i < count; i++) {
        bytes += 2 * IKEY_NAMESPACE_BYTES + deletes[i].range.from.len + deletes[i].range.to.len;
    }
    return bytes;
}

static size_t covers_max(const struct range_set *set) {
    size_t most = 0;

    for (size_t i = 0; set && i < set->point_count; i++) {
        size_t count = covers_end(set, i) - set->points[i].first_cover;
        most = count > most ? count : most;
    }
    return most;
}

static int order_edges(const void *left, const void *right) {
    const struct edge *a = left;
    const struct edge *b = right;
    return slice_compare(a->row, b->row);
}

static void sweep_deinit(struct sweep *sweep) {
    memory_free(sweep->rows);
    memory_free(sweep->edges);
    memory_free(sweep->open);
    memory_free(sweep->both);
}

static void add_edges(struct sweep *sweep) {
    uint8_t *next = sweep->rows;

    for (size_t i = 0; sweep->base && i < sweep->base->point_count; i++) {
        sweep->edges[sweep->edge_count++] = (struct edge){point_row(sweep->base, i), EDGE_POINT, i};
    }
    for (size_t i = 0; i < sweep->delete_count; i++) {
        const struct key_range *range = &sweep->deletes[i].range;
        uint32_t end_namespace = range->namespace_id + (range->to.len == 0);
        size_t len = row_store(next, range->namespace_id, range->from);
        sweep->edges[sweep->edge_count++] = (struct edge){slice_make(next, len), EDGE_START, i};
        next += len;
        len = row_store(next, end_namespace, range->to);
        sweep->edges[sweep->edge_count++] = (struct edge){slice_make(next, len), EDGE_END, i};
        next += len;
    }
    qsort(sweep->edges, sweep->edge_count, sizeof *sweep->edges, order_edges);
}

static enum status sweep_init(struct sweep *sweep, const struct range_set *base,
                              const struct range_delete *deletes, size_t count) {
    size_t edges_max = range_set_points(base) + 2 * count;

    *sweep = (struct sweep){.base = base, .deletes = deletes, .delete_count = count};
    sweep->rows = memory_alloc(rows_bytes(deletes, count) + 1);
    sweep->edges = memory_alloc_array(edges_max + 1, sizeof *sweep->edges);
    sweep->open = memory_alloc_array(count + 1, sizeof *sweep->open);
    sweep->both = memory_alloc_array(count + covers_max(base) + 1, sizeof *sweep->both);
    if (!sweep->rows || !sweep->edges || !sweep->open || !sweep->both) {
        sweep_deinit(sweep);
        return STATUS_NO_MEMORY;
    }
    add_edges(sweep);
    return STATUS_OK;
}

/* The first open one with a version <= `version`. */
static size_t open_position(const struct sweep *sweep, uint64_t version) {
    size_t low = 0;
    size_t high = sweep->open_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (sweep->open[middle].version > version) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static void cross_edge(struct sweep *sweep, const struct edge *edge) {
    const struct range_delete *deleted;
    struct range_cover *place;
    size_t position;

    if (edge->kind == EDGE_POINT) {
        sweep->base_point = edge->index + 1;
        return;
    }
    deleted = &sweep->deletes[edge->index];
    position = open_position(sweep, deleted->version);
    place = sweep->open + position;
    if (edge->kind == EDGE_START) {
        memmove(place + 1, place, (sweep->open_count - position) * sizeof *place);
        *place = (struct range_cover){deleted->version, deleted->durability};
        sweep->open_count++;
    } else { /* those of one version are of one commit, and alike */
        ASSERT(position < sweep->open_count && place->version == deleted->version);
        sweep->open_count--;
        memmove(place, place + 1, (sweep->open_count - position) * sizeof *place);
    }
}

/* Merges what is open and what the base has at the present place into `both`. */
static size_t merge_covers(struct sweep *sweep) {
    const struct range_set *base = sweep->base;
    size_t at = sweep->base_point > 0 ? base->points[sweep->base_point - 1].first_cover : 0;
    size_t end = sweep->base_point > 0 ? covers_end(base, sweep->base_point - 1) : 0;
    size_t open = 0;
    size_t count = 0;

    while (at < end || open < sweep->open_count) {
        bool from_base = open == sweep->open_count ||
                         (at < end && base->covers[at].version > sweep->open[open].version);
        sweep->both[count++] = from_base ? base->covers[at++] : sweep->open[open++];
    }
    return count;
}

static enum status sweep_run(struct sweep *sweep, struct build *build) {
    enum status status = STATUS_OK;
    size_t i = 0;

    while (i < sweep->edge_count && status == STATUS_OK) {
        struct slice row = sweep->edges[i].row;
        while (i < sweep->edge_count && slice_equal(sweep->edges[i].row, row)) {
            cross_edge(sweep, &sweep->edges[i++]);
        }
        status = build_point(build, row, sweep->both, merge_covers(sweep));
    }
    return status;
}

enum status range_set_build(const struct range_set *base, const struct range_delete *deletes,
                            size_t count, const struct keep_rules *rules,
                            struct range_set **set_out) {
    struct sweep sweep;
    struct build build;
    enum status status = sweep_init(&sweep, base, deletes, count);

    if (status != STATUS_OK) {
        return status;
    }
    status = build_init(&build, sweep.edge_count + 1, rules);
    if (status == STATUS_OK) {
        status = sweep_run(&sweep, &build);
    }
    sweep_deinit(&sweep);
    if (status != STATUS_OK) {
        build_abandon(&build);
        return status;
    }
    *set_out = build_end(&build);
    return STATUS_OK;
}

/* ---- Forgetting -------------------------------------------------------------------------------
 */

/* The covers of a point that the callback does not let go, into `left`. */
static size_t filter(const struct range_set *set, size_t index, range_set_forget_cb forget_cb,
                     void *arg, struct range_cover *left) {
    size_t end = covers_end(set, index);
    size_t count = 0;

    for (size_t i = set->points[index].first_cover; i < end; i++) {
        if (!forget_cb || !forget_cb(arg, point_row(set, index), point_row(set, index + 1),
                                     set->covers[i].version)) {
            left[count++] = set->covers[i];
        }
    }
    return count;
}

static enum status prune(const struct range_set *set, range_set_forget_cb forget_cb, void *arg,
                         struct build *build) {
    struct range_cover *left = memory_alloc_array(covers_max(set) + 1, sizeof *left);
    enum status status = left ? STATUS_OK : STATUS_NO_MEMORY;

    for (size_t i = 0; i < set->point_count && status == STATUS_OK; i++) {
        size_t count = filter(set, i, forget_cb, arg, left);
        status = build_point(build, point_row(set, i), left, count);
    }
    memory_free(left);
    return status;
}

enum status range_set_prune(struct range_set *set, const struct keep_rules *rules,
                            range_set_forget_cb forget_cb, void *arg, struct range_set **set_out) {
    struct build build;
    enum status status;

    if (!set) {
        *set_out = NULL;
        return STATUS_OK;
    }
    status = build_init(&build, set->point_count, rules);
    if (status == STATUS_OK) {
        status = prune(set, forget_cb, arg, &build);
    }
    if (status != STATUS_OK) {
        build_abandon(&build);
        return status;
    }
    if (build.set->cover_count == set->cover_count) {
        build_abandon(&build);
        range_set_ref(set);
        *set_out = set;
    } else {
        *set_out = build_end(&build);
    }
    return STATUS_OK;
}

void range_set_ref(struct range_set *set) {
    if (set) {
        atomic_fetch_add_explicit(&set->refs, 1, memory_order_relaxed);
    }
}

void range_set_unref(struct range_set *set) {
    uint32_t before = set ? atomic_fetch_sub_explicit(&set->refs, 1, memory_order_acq_rel) : 0;

    ASSERT(!set || before > 0);
    if (before == 1) {
        set_free(set);
    }
}

size_t range_set_points(const struct range_set *set) {
    return set ? set->point_count : 0;
}

size_t range_set_memory_bytes(const struct range_set *set) {
    return set ? sizeof *set + set->point_count * sizeof *set->points +
                     set->cover_count * sizeof *set->covers + set->key_bytes
               : 0;
}

/* ---- Queries ----------------------------------------------------------------------------------
 */

/* How many points stand at or before the row. */
static size_t locate(const struct range_set *set, struct slice row) {
    size_t low = 0;
    size_t high = set->point_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (slice_compare(point_row(set, middle), row) <= 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Those of the covers before point number `point` (a result of locate). */
static struct range_cover newest_up_to(const struct range_set *set, size_t point,
                                       uint64_t version) {
    size_t low = point > 0 ? set->points[point - 1].first_cover : 0;
    size_t end = point > 0 ? covers_end(set, point - 1) : 0;
    size_t high = end;

    while (low < high) { /* the first with a version <= `version` */
        size_t middle = low + (high - low) / 2;
        if (set->covers[middle].version > version) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < end ? set->covers[low] : (struct range_cover){VERSION_NONE, 0};
}

static struct range_cover oldest_above(const struct range_set *set, size_t point,
                                       uint64_t version) {
    size_t first = point > 0 ? set->points[point - 1].first_cover : 0;
    size_t low = first;
    size_t high = point > 0 ? covers_end(set, point - 1) : 0;

    while (low < high) { /* the first with a version <= `version`; the one before it is wanted */
        size_t middle = low + (high - low) / 2;
        if (set->covers[middle].version > version) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low > first ? set->covers[low - 1] : (struct range_cover){VERSION_NONE, 0};
}

struct range_cover range_set_covering(const struct range_set *set, struct slice row,
                                      uint64_t version) {
    return set ? newest_up_to(set, locate(set, row), version)
               : (struct range_cover){VERSION_NONE, 0};
}

struct range_cover range_set_ending(const struct range_set *set, struct slice row,
                                    uint64_t version) {
    return set ? oldest_above(set, locate(set, row), version)
               : (struct range_cover){VERSION_NONE, 0};
}

uint64_t range_set_covers_rows(const struct range_set *set, struct slice smallest,
                               struct slice largest, uint64_t above, uint64_t limit) {
    uint64_t highest = VERSION_NONE;
    size_t point = set ? locate(set, smallest) : 0;

    do {
        struct range_cover cover =
            set ? oldest_above(set, point, above) : (struct range_cover){VERSION_NONE, 0};
        if (cover.version == VERSION_NONE || cover.version > limit) {
            return VERSION_NONE;
        }
        highest = cover.version > highest ? cover.version : highest;
        point++; /* never beyond the last: that one has no covers */
    } while (slice_compare(point_row(set, point - 1), largest) <= 0);
    return highest;
}

bool range_set_touches_rows(const struct range_set *set, struct slice smallest,
                            struct slice largest, uint64_t above, uint64_t limit) {
    size_t point = set ? locate(set, smallest) : 0;

    for (bool more = set != NULL; more; point++) {
        struct range_cover cover = oldest_above(set, point, above);
        if (cover.version != VERSION_NONE && cover.version <= limit) {
            return true;
        }
        more = point < set->point_count && slice_compare(point_row(set, point), largest) <= 0;
    }
    return false;
}

static bool place_is_right(const struct range_set *set, size_t point, struct slice row) {
    return (point == 0 || slice_compare(point_row(set, point - 1), row) <= 0) &&
           (point == set->point_count || slice_compare(row, point_row(set, point)) < 0);
}

static size_t walk_to(struct range_walk *walk, struct slice row) {
    if (!place_is_right(walk->set, walk->point, row)) {
        walk->point = locate(walk->set, row);
    }
    return walk->point;
}

struct range_cover range_walk_covering(struct range_walk *walk, struct slice row,
                                       uint64_t version) {
    return walk->set ? newest_up_to(walk->set, walk_to(walk, row), version)
                     : (struct range_cover){VERSION_NONE, 0};
}

struct range_cover range_walk_ending(struct range_walk *walk, struct slice row, uint64_t version) {
    return walk->set ? oldest_above(walk->set, walk_to(walk, row), version)
                     : (struct range_cover){VERSION_NONE, 0};
}
