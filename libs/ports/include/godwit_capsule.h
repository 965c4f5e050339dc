/*
 * Godwit native capsules, ABI version 1.
 *
 * A capsule is a small versioned C table through which independently published packages drive each other without
 * linking each other, as the Arrow C data interface and DLPack do. A package exposes the address of such a table to
 * JavaScript as a napi External that carries the type tag GODWIT_CAPSULE_TAG_LO/HI; another package checks the tag,
 * then `abi_version`, `kind` and `size_bytes`, and calls through the table.
 *
 * Rules that hold for every table and function:
 *  - The table and its context stay valid from `retain` until the matching `release`, also after the thread or Worker
 *    that made them is gone. Whoever reads a table from an External retains it at once.
 *  - Every function may be called from any thread. Unless stated otherwise the functions of one table may be called
 *    concurrently.
 *  - No function unwinds: a panic behind it is caught and becomes GODWIT_E_PANIC.
 *  - Results: zero or a count on success, a negative number on failure: -errno of the failing system call, or one of
 *    GODWIT_E_*. A failure is described in words nowhere but at the caller.
 *  - Pages are named by index: page i covers bytes [i * page_size_bytes, (i + 1) * page_size_bytes) of the memory.
 *  - Bitmaps are arrays of little-endian 64-bit words over page indexes: page i is bit (i % 64) of word (i / 64).
 */
#ifndef GODWIT_CAPSULE_H
#define GODWIT_CAPSULE_H

#include <stdint.h>

#define GODWIT_CAPSULE_ABI_VERSION 1u
#define GODWIT_CAPSULE_TAG_LO 0x6f67c0de77697431ull
#define GODWIT_CAPSULE_TAG_HI 0x9a3e51c7b2d04f68ull

/* Kinds of table. Zero is never a kind. */
#define GODWIT_KIND_CLOSED 0u /* nothing is behind it any more: refuse it */
#define GODWIT_KIND_MEMORY 1u
#define GODWIT_KIND_EXECUTION 2u
#define GODWIT_KIND_DIRTY 3u
#define GODWIT_KIND_SCANNER 4u
#define GODWIT_KIND_CODEC 5u
#define GODWIT_KIND_CHANNEL 6u

/* Failures that no errno names. */
#define GODWIT_E_PANIC (-10001)
#define GODWIT_E_INTERRUPTED (-10002) /* interrupt() was called */
#define GODWIT_E_TIMEOUT (-10003)     /* nothing moved for the time allowed */
#define GODWIT_E_CLOSED (-10004)      /* the peer closed, or this end was closed */
#define GODWIT_E_MALFORMED (-10005)   /* bytes from outside that cannot be right */
#define GODWIT_E_TOO_SMALL (-10006)   /* the caller's buffer */
#define GODWIT_E_UNSUPPORTED (-10007)
#define GODWIT_E_OUT_OF_RANGE (-10008) /* a page or length outside the memory */

/* Every table begins with this. */
typedef struct godwit_capsule_header {
  uint32_t abi_version;
  uint32_t kind;
  uint64_t size_bytes; /* of the whole table, so that a later minor version can append functions */
  void *context;
  void (*retain)(void *context);
  void (*release)(void *context);
} godwit_capsule_header;

/*
 * A KVM memory slot: pages [first_page, first_page + page_count) of the memory lie in slot `slot`, seen by the guest from
 * `guest_physical_address` on. The owner makes its slots with flags 0, and changes neither their place nor their size
 * while the capsule lives; a tracker sets KVM_MEM_LOG_DIRTY_PAGES on them when it starts and clears it when it stops.
 */
typedef struct godwit_memory_slot {
  uint32_t slot;
  uint32_t reserved;
  uint64_t first_page;
  uint64_t page_count;
  uint64_t guest_physical_address;
} godwit_memory_slot;

/*
 * The dirty rings of a VM (KVM_CAP_DIRTY_LOG_RING_ACQ_REL, else KVM_CAP_DIRTY_LOG_RING), which its owner enabled before
 * it made the processors: such a VM has no dirty log. Rings exist for as long as the capsule lives; whoever tracks writes
 * maps and harvests them, and nobody else does.
 */
typedef struct godwit_dirty_rings {
  uint64_t ring_bytes;     /* of each ring, as given to KVM_ENABLE_CAP */
  uint64_t vcpu_count;
  const int32_t *vcpu_fds; /* each processor's ring is mapped from its descriptor, KVM_DIRTY_LOG_PAGE_OFFSET pages in */
} godwit_dirty_rings;

/*
 * memory: one contiguous mapping of this process that holds all of a guest's memory (holes in the guest-physical
 * address space are not part of it). Descriptors are borrowed: they stay open while the capsule is retained.
 */
typedef struct godwit_memory {
  godwit_capsule_header header;
  uint8_t *base;
  uint64_t length_bytes;
  uint64_t page_size_bytes;
  int32_t userfault_fd; /* registered over the whole mapping, or -1 */
  int32_t vm_fd;        /* KVM VM whose slots back the mapping, or -1 */
  int32_t pagemap_fd;   /* /proc/self/pagemap, or -1 */
  uint32_t slot_count;
  const godwit_memory_slot *slots;
  /* One bit a page, set atomically by devices of this process that write guest memory (software marks), after the
   * write: set before, the write could fall behind the collection that takes the mark. A tracker that cannot see such
   * writes fetches and clears it. NULL when there are none. */
  uint64_t *device_marks;
  /* Sets the bit of each page in [first_page, first_page + page_count) that is populated; the caller cleared the
   * words. A page that is not present reads as zero. Returns how many are present. */
  int64_t (*present)(void *context, uint64_t first_page, uint64_t page_count, uint64_t *bitmap);
  /* A hint: the whole run will be overwritten soon (a chance to use huge pages or to populate). */
  int32_t (*expect)(void *context, uint64_t first_page, uint64_t page_count);
  /* Makes the run read as zero and gives its memory back. */
  int32_t (*discard)(void *context, uint64_t first_page, uint64_t page_count);
  const godwit_dirty_rings *dirty_rings; /* NULL when there are none */
  /* From now on `harvest` is called with `harvester` by each processor's thread that left its guest with
   * KVM_EXIT_DIRTY_RING_FULL, before it enters again, possibly by several at once; NULL: nothing is called. The owner
   * calls `release` once when it will call `harvest` no more, for the former one before this returns: so no lock may be
   * held here that `harvest` takes. Where it fails, the new one was released. */
  int32_t (*set_ring_harvester)(void *context, void *harvester, void (*harvest)(void *harvester),
                                void (*release)(void *harvester));
} godwit_memory;

/* execution: what runs in the memory. Calls are made by one thread at a time. */
typedef struct godwit_execution {
  godwit_capsule_header header;
  uint64_t state_bytes_max; /* save() never returns more, load() never accepts more */
  /* Returns when no processor and no device of the guest writes memory any more. Idempotent. */
  int32_t (*pause)(void *context);
  /* Runs the guest on from its state. Idempotent. */
  int32_t (*resume)(void *context);
  /* Of a paused guest: writes processors' and devices' state, returns its length in bytes. */
  int64_t (*save)(void *context, uint8_t *state, uint64_t capacity_bytes);
  /* Into a guest that has not run: GODWIT_E_MALFORMED leaves it untouched. */
  int32_t (*load)(void *context, const uint8_t *state, uint64_t length_bytes);
  /* Tells the outside world that the guest is here now (RARP); called right after resume() at a destination. */
  int32_t (*announce)(void *context);
  /* Of a paused guest whose state was saved: takes what its devices received since, for inject_late() where it runs now.
   * Returns the number of bytes, 0 when nothing (more) came. */
  int64_t (*drain_late)(void *context, uint8_t *bytes, uint64_t capacity_bytes);
  /* Gives a guest's devices what was drained elsewhere, before anything newer. */
  int32_t (*inject_late)(void *context, const uint8_t *bytes, uint64_t length_bytes);
} godwit_execution;

/* dirty: the pages written since the last collect. */
typedef struct godwit_dirty {
  godwit_capsule_header header;
  uint64_t page_count;
  int32_t (*start)(void *context);
  /* Sets the bits of the pages written since start or the last collect, and forgets them (per page atomically: a
   * concurrent write is reported by this call or by the next, never by none). Bits already set stay set. Returns the
   * number of pages reported by this call. */
  int64_t (*collect)(void *context, uint64_t *bitmap, uint64_t word_count);
  int32_t (*stop)(void *context);
} godwit_dirty;

/* scanner: which pages are all zero. */
typedef struct godwit_scanner {
  godwit_capsule_header header;
  /* Writes zero_flags[i] = 1 if page pages[i] holds only zero bytes, else 0. Returns the number of zero pages. */
  int64_t (*scan)(void *context, const uint8_t *base, uint64_t page_size_bytes, const uint64_t *pages,
                  uint64_t page_count, uint8_t *zero_flags);
} godwit_scanner;

#define GODWIT_CODED_UNCHANGED 1u /* equals what was sent last: nothing to send */
#define GODWIT_CODED_DELTA 2u     /* `length_bytes` of delta against what was sent last */
#define GODWIT_CODED_RAW 3u       /* `length_bytes` == page size: a private copy of the page, to be sent as it is */

typedef struct godwit_coded_page {
  uint64_t page;
  uint32_t offset_bytes; /* in the batch's buffer */
  uint32_t length_bytes;
  uint32_t outcome; /* GODWIT_CODED_*; zero is never an outcome */
  uint32_t reserved;
} godwit_coded_page;

/*
 * codec: deltas against what was last sent. One direction of one migration a context; calls by one thread at a time.
 * The guest may write a page while it is encoded: encoders work on a private snapshot, and remember exactly that.
 */
typedef struct godwit_codec {
  godwit_capsule_header header;
  uint64_t page_size_bytes;
  /* Encodes page_count pages into `out` (which holds page_count * page_size_bytes). Fills coded[i] for pages[i].
   * Returns the bytes used in `out`. NULL in a decoder. */
  int64_t (*encode)(void *context, const uint8_t *base, const uint64_t *pages, uint64_t page_count, uint8_t *out,
                    uint64_t out_capacity_bytes, godwit_coded_page *coded);
  /* The receiver holds something else than this encoder remembers (a zero page, a raw page sent around it). */
  int32_t (*forget)(void *context, const uint64_t *pages, uint64_t page_count);
  /* Applies the deltas coded[i] (offsets into `in`) to the pages at `base`; only GODWIT_CODED_DELTA is accepted and the
   * caller has checked the page indexes. On GODWIT_E_MALFORMED the pages before the damaged one are applied, the
   * damaged one and those behind it are untouched. NULL in an encoder. */
  int32_t (*decode)(void *context, uint8_t *base, const godwit_coded_page *coded, uint64_t page_count,
                    const uint8_t *in, uint64_t in_length_bytes);
} godwit_codec;

typedef struct godwit_slice {
  uint8_t *bytes;
  uint64_t length_bytes;
} godwit_slice;

typedef struct godwit_channel_counters {
  uint64_t bytes_sent;
  uint64_t bytes_received;
  uint64_t send_calls;
  uint64_t receive_calls;
} godwit_channel_counters;

/* channel: a reliable, ordered stream of bytes. One sender and one receiver at a time; those two may be concurrent. */
typedef struct godwit_channel {
  godwit_capsule_header header;
  /* Sends all bytes of all slices in order; the bytes may be reused when it returns. A stall longer than timeout_ms
   * without one byte of progress ends in GODWIT_E_TIMEOUT. Returns the number of bytes. */
  int64_t (*send)(void *context, const godwit_slice *slices, uint64_t slice_count, uint32_t timeout_ms);
  /* Fills all slices completely, in order. Ends as send does. */
  int64_t (*receive)(void *context, const godwit_slice *slices, uint64_t slice_count, uint32_t timeout_ms);
  /* Ends calls in progress and all later ones with GODWIT_E_INTERRUPTED, from any thread. */
  int32_t (*interrupt)(void *context);
  int32_t (*counters)(void *context, godwit_channel_counters *counters);
} godwit_channel;

#endif
