/* The C API of tandem: the whole of it, and the binary promise of the library (docs/abi.md).

   Names: tandem_<thing>_<verb>; the object comes first, results last. A function that can fail
   returns TANDEM_OK or a negative TANDEM_ERR_* and then writes nothing to its results but where it
   says so; tandem_last_error() tells what was wrong, in one line. Functions returning void never
   fail and leave that text alone. Not repeated below, for any function: INVALID_ARGUMENT for NULL
   where something is needed and for a structure without its initialiser, LIMIT when memory ran out,
   INTERNAL for a broken promise of this library.

   Structures begin with `struct_size`, which TANDEM_..._INIT sets. They grow at their end only, and
   0 in a new member means the old behaviour. The library takes a larger structure from a newer
   caller as long as the bytes that it does not know are zero, else it answers UNSUPPORTED. Where
   the library fills a structure the caller sets `struct_size` first; it fills what fits.

   Text in: NUL-terminated UTF-8, copied; NULL means "" or absent unless said otherwise. Text out
   that the library makes for the caller is a tandem_text, which the caller destroys. Text inside of
   a structure that a callback gets ends with the callback.

   Money is a whole number of 1e-8 of the currency (`_units`), times are microseconds since 1970 UTC
   (`_at_us`, `_us`) unless called monotonic, booleans are int32_t 0 or 1.

   Objects are opaque and end with their tandem_..._destroy(), which takes NULL and does nothing
   then. Using an object after that, or destroying it twice, is an error of the caller that cannot
   be detected.

   Callbacks come with `user`, a pointer that the library hands back and never reads, and
   `user_free`. A function that takes a structure with `user_free` owns `user` from that moment:
   user_free runs exactly once, also when the function fails. NULL: the caller keeps `user`.
   Callbacks must not throw C++ exceptions. */
#ifndef TANDEM_H
#define TANDEM_H

#include <stddef.h>
#include <stdint.h>

#include "tandem/export.h"
#include "tandem/version.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Version and errors --------------------------------------------------------------------- */

/* "0.1.0": of the library that is loaded; TANDEM_VERSION_STRING is that of the header. Any thread.
   Since 0.1. */
TANDEM_API const char* tandem_version(void);
/* major * 1,000,000 + minor * 1,000 + patch. Any thread. Since 0.1. */
TANDEM_API uint32_t tandem_version_number(void);

/* The numbers are those of tandem::ErrorCode and are never changed. Since 0.1. */
enum {
  TANDEM_OK = 0,
  TANDEM_ERR_INVALID_ARGUMENT = -1, /* a value is out of its range, malformed, or NULL */
  TANDEM_ERR_NOT_FOUND = -2,        /* the named thing does not exist */
  TANDEM_ERR_ALREADY_EXISTS = -3,   /* the named thing exists */
  TANDEM_ERR_IO = -4,               /* the operating system refused: file, socket, database */
  TANDEM_ERR_LIMIT = -5,            /* a stated bound is reached, or memory ran out */
  TANDEM_ERR_WRONG_THREAD = -6,     /* called on a thread that may not call it */
  TANDEM_ERR_WRONG_STATE = -7,      /* not possible now: not started, closed, already answered */
  TANDEM_ERR_UNSUPPORTED = -8,      /* known, but not built or not possible here */
  TANDEM_ERR_TOO_SMALL = -9,        /* the caller's array cannot hold the answer */
  TANDEM_ERR_TIMEOUT = -10,         /* the deadline passed */
  TANDEM_ERR_CORRUPT = -11,         /* stored data failed its check */
  TANDEM_ERR_INTERNAL = -12         /* a broken promise of this library; please report it */
};

/* "invalid_argument"; "ok" for 0, "unknown" for other numbers. Lives for ever. Since 0.1. */
TANDEM_API const char* tandem_error_name(int code);
/* What made the last function that returns a code fail on this thread; "" when it did not fail.
   One line, at most 1023 bytes. Ends with the next such function on this thread. Since 0.1. */
TANDEM_API const char* tandem_last_error(void);

/* ---- Text ----------------------------------------------------------------------------------- */

typedef struct tandem_text tandem_text; /* a text that the library made for the caller */

/* The bytes, NUL-terminated; live as long as the text. "" for NULL. Since 0.1. */
TANDEM_API const char* tandem_text_data(const tandem_text* text);
/* Bytes without the NUL. 0 for NULL. Since 0.1. */
TANDEM_API size_t tandem_text_size(const tandem_text* text);
TANDEM_API void tandem_text_destroy(tandem_text* text); /* NULL: no-op. Since 0.1. */

/* ---- Values --------------------------------------------------------------------------------- */

#define TANDEM_AMOUNT_SCALE INT64_C(100000000) /* units in one whole of the currency (B-01) */

/* Reads a decimal: optional sign, digits, at most 8 decimals ("-0.0165"). Errors:
   INVALID_ARGUMENT. Any thread. Since 0.1. */
TANDEM_API int tandem_amount_parse(const char* text, int64_t* units);
/* At least two decimals, no further trailing zeros: "0.60". Any thread. Since 0.1. */
TANDEM_API int tandem_amount_format(int64_t units, tandem_text** out);

/* Reads RFC 3339 ("2026-11-25T12:00:00Z") or a date. Errors: INVALID_ARGUMENT. Any thread.
   Since 0.1. */
TANDEM_API int tandem_time_parse(const char* text, int64_t* at_us);
/* "2026-11-25T12:00:00.000000Z". Any thread. Since 0.1. */
TANDEM_API int tandem_time_format(int64_t at_us, tandem_text** out);

/* Name of a release reason (C-08), for instance "NoAvailableRouter"; "InternalError" for unknown
   numbers. Lives for ever. Any thread. Since 0.1. */
TANDEM_API const char* tandem_reason_name(int32_t reason);
/* Number of a name. Errors: NOT_FOUND. Any thread. Since 0.1. */
TANDEM_API int tandem_reason_from_name(const char* name, int32_t* reason);

/* An address with a port. Never grows, so it may stand in arrays. */
typedef struct tandem_address {
  char ip[46];   /* "192.0.2.1", "2001:db8::1"; "" for none */
  uint16_t port; /* 0: none */
} tandem_address;

/* ---- Log lines ------------------------------------------------------------------------------ */

enum { TANDEM_LOG_DEBUG = 0, TANDEM_LOG_INFO = 1, TANDEM_LOG_WARNING = 2, TANDEM_LOG_ERROR = 3 };

/* `line`: "2026-11-25T12:00:00.000000Z warning sip: datagram refused source=192.0.2.1:5060", ends
   with the call. On whatever thread logs, several at once; must not block for long and must not
   call tandem. */
typedef void (*tandem_log_fn)(int32_t level, const char* line, void* user);

/* ---- Number policy (N-06) ------------------------------------------------------------------- */

/* Numbers that begin with `prefix`: what they are, where they are at home, how long they are. Never
   grows, so it may stand in arrays. */
typedef struct tandem_numbering_plan_entry {
  const char* prefix; /* 1..32 characters; the longest that a number begins with counts */
  const char* kind;   /* "city", "mobile" or "other"; numbers that no entry fits are "other" */
  const char* area;   /* NULL or "": nobody asks */
  int32_t min_length; /* characters of a whole number, 1..32 */
  int32_t max_length; /* min_length..32 */
} tandem_numbering_plan_entry;

/* Which numbers a gateway takes. Every count of 0 means: no restriction. The arrays are copied. */
typedef struct tandem_number_policy_config {
  size_t struct_size;
  const int32_t* caller_lengths; /* allowed lengths, 0..32; 0 allows an absent caller */
  size_t caller_lengths_count;
  const int32_t* callee_lengths;
  size_t callee_lengths_count;
  const char* const* allow_caller_prefixes; /* 0..32 characters each */
  size_t allow_caller_prefixes_count;
  const char* const* deny_caller_prefixes; /* outranks the allow list */
  size_t deny_caller_prefixes_count;
  const char* const* allow_callee_prefixes;
  size_t allow_callee_prefixes_count;
  const char* const* deny_callee_prefixes;
  size_t deny_callee_prefixes_count;
  const char* const* allow_callers; /* whole numbers */
  size_t allow_callers_count;
  const char* const* deny_callers; /* outranks the allow list */
  size_t deny_callers_count;
  const char* const* allow_callees;
  size_t allow_callees_count;
  const char* const* deny_callees;
  size_t deny_callees_count;
  const char* const* allow_pairs; /* "025:010": callers from 025 to callees in 010 */
  size_t allow_pairs_count;
  const char* const* deny_pairs; /* outranks the allow list */
  size_t deny_pairs_count;
  const char* const* allow_same_city; /* both numbers begin with the same one of these */
  size_t allow_same_city_count;
  const char* const* deny_same_city; /* outranks the allow list */
  size_t deny_same_city_count;
  const tandem_numbering_plan_entry* plan; /* what the four below are judged by */
  size_t plan_count;
  const char* const* caller_kinds; /* "city", "mobile", "other" */
  size_t caller_kinds_count;
  const char* const* callee_kinds;
  size_t callee_kinds_count;
  const char* const* allow_mobile_areas; /* of callees that are mobiles; others may go */
  size_t allow_mobile_areas_count;
  const char* const* deny_mobile_areas; /* outranks the allow list */
  size_t deny_mobile_areas_count;
} tandem_number_policy_config;
#define TANDEM_NUMBER_POLICY_CONFIG_INIT                                                          \
  {                                                                                               \
    sizeof(tandem_number_policy_config), NULL, 0, NULL, 0, NULL, 0, NULL, 0, NULL, 0, NULL, 0,    \
        NULL, 0, NULL, 0, NULL, 0, NULL, 0, NULL, 0, NULL, 0, NULL, 0, NULL, 0, NULL, 0, NULL, 0, \
        NULL, 0, NULL, 0, NULL, 0                                                                 \
  }

/* The first rule that refuses, in this order, is the one reported. */
enum {
  TANDEM_NUMBER_ACCEPTED = 0,
  TANDEM_NUMBER_CALLER_LENGTH = 1,
  TANDEM_NUMBER_CALLEE_LENGTH = 2,
  TANDEM_NUMBER_CALLER_NOT_ALLOWED = 3,
  TANDEM_NUMBER_CALLER_DENIED = 4,
  TANDEM_NUMBER_CALLEE_NOT_ALLOWED = 5,
  TANDEM_NUMBER_CALLEE_DENIED = 6,
  TANDEM_NUMBER_PAIR_NOT_ALLOWED = 7,
  TANDEM_NUMBER_PAIR_DENIED = 8,
  TANDEM_NUMBER_CITY_NOT_ALLOWED = 9,
  TANDEM_NUMBER_CITY_DENIED = 10,
  TANDEM_NUMBER_CALLER_KIND = 11, /* of no allowed kind, or too short or long for its prefix */
  TANDEM_NUMBER_CALLEE_KIND = 12,
  TANDEM_NUMBER_MOBILE_AREA_NOT_ALLOWED = 13,
  TANDEM_NUMBER_MOBILE_AREA_DENIED = 14
};

typedef struct tandem_number_policy tandem_number_policy; /* immutable; any thread, any number */

/* Errors: INVALID_ARGUMENT, ALREADY_EXISTS (a prefix of the plan twice), NOT_FOUND (an area that
   it does not have). Since 0.1. */
TANDEM_API int tandem_number_policy_create(const tandem_number_policy_config* config,
                                           tandem_number_policy** out);
/* Writes a TANDEM_NUMBER_* to *verdict; a refusal is TANDEM_OK. Since 0.1. */
TANDEM_API int tandem_number_policy_judge(const tandem_number_policy* policy, const char* caller,
                                          const char* callee, int32_t* verdict);
TANDEM_API void tandem_number_policy_destroy(tandem_number_policy* policy); /* Since 0.1. */

/* ---- Rewrite rules (N-01..N-03) ------------------------------------------------------------- */

typedef struct tandem_rewrite_rules tandem_rewrite_rules; /* immutable; any thread, any number */

enum {
  TANDEM_REWRITE_UNCHANGED = 0, /* no rule matched */
  TANDEM_REWRITE_REWRITTEN = 1,
  TANDEM_REWRITE_TOO_LONG = 2 /* the number or the result had over 32 characters */
};

typedef struct tandem_rewritten_number {
  size_t struct_size;
  int32_t outcome; /* TANDEM_REWRITE_* */
  char number[33]; /* the result; "" when too long */
} tandem_rewritten_number;
#define TANDEM_REWRITTEN_NUMBER_INIT          \
  {                                           \
    sizeof(tandem_rewritten_number), 0, { 0 } \
  }

/* Reads rule text, "0:86,00:,*:86*"; "" is no rules. docs/routing.md has the language. Errors:
   INVALID_ARGUMENT (names rule and offset), LIMIT. Since 0.1. */
TANDEM_API int tandem_rewrite_rules_compile(const char* text, tandem_rewrite_rules** out);
/* Applies the best matching rule to `number`, 0..32 characters. Equal draws give equal results;
   `draw` only matters to rules with several targets or a random digit. Since 0.1. */
TANDEM_API int tandem_rewrite_rules_apply(const tandem_rewrite_rules* rules, const char* number,
                                          uint64_t draw, tandem_rewritten_number* out);
/* Index, from 0 in the order of the text, of the rule that apply() would use. Errors: NOT_FOUND (no
   rule matches). Since 0.1. */
TANDEM_API int tandem_rewrite_rules_match(const tandem_rewrite_rules* rules, const char* number,
                                          size_t* rule);
TANDEM_API size_t tandem_rewrite_rules_size(const tandem_rewrite_rules* rules); /* Since 0.1. */
TANDEM_API void tandem_rewrite_rules_destroy(tandem_rewrite_rules* rules);      /* Since 0.1. */

/* ---- Numbers that stand for others (N-04, N-05) --------------------------------------------- */

typedef struct tandem_number_transforms tandem_number_transforms; /* immutable; any thread */
typedef struct tandem_mobile_areas tandem_mobile_areas;           /* immutable; any thread */

/* One number and what it is called elsewhere. Exact matches only. Never grows. */
typedef struct tandem_number_transform {
  const char* number;          /* as it is routed and billed */
  const char* customer_caller; /* a caller that a customer sends for it; NULL or "": none */
  const char* vendor_callee;   /* what a vendor gets as callee for it; NULL or "": the number */
} tandem_number_transform;

/* Errors: INVALID_ARGUMENT (what is no number, an entry that changes nothing), ALREADY_EXISTS (two
   entries for one number or one caller). Since 0.1. */
TANDEM_API int tandem_number_transforms_create(const tandem_number_transform* entries, size_t count,
                                               tandem_number_transforms** out);
/* The number that a customer's caller stands for, or the caller itself. Since 0.1. */
TANDEM_API int tandem_number_transforms_from_customer(const tandem_number_transforms* transforms,
                                                      const char* caller,
                                                      tandem_rewritten_number* out);
/* What a vendor gets for a callee, or the callee itself. Since 0.1. */
TANDEM_API int tandem_number_transforms_to_vendor(const tandem_number_transforms* transforms,
                                                  const char* callee, tandem_rewritten_number* out);
TANDEM_API void tandem_number_transforms_destroy(
    tandem_number_transforms* transforms); /* Since 0.1. */

/* Mobile numbers that begin with `prefix` have their home in `area`. Never grows. */
typedef struct tandem_mobile_area {
  const char* prefix;    /* 1..32 characters */
  const char* area_code; /* 1..32 characters; goes before the number */
  const char* area;      /* name */
} tandem_mobile_area;

/* Errors: INVALID_ARGUMENT, ALREADY_EXISTS (a prefix twice). Since 0.1. */
TANDEM_API int tandem_mobile_areas_create(const tandem_mobile_area* entries, size_t count,
                                          tandem_mobile_areas** out);
/* Puts the area code before a number whose longest prefix has its home in one of the `chosen`
   areas; else it is unchanged. Errors: NOT_FOUND (no such area). Since 0.1. */
TANDEM_API int tandem_mobile_areas_complete(const tandem_mobile_areas* areas,
                                            const char* const* chosen, size_t chosen_count,
                                            const char* number, tandem_rewritten_number* out);
TANDEM_API void tandem_mobile_areas_destroy(tandem_mobile_areas* areas); /* Since 0.1. */

/* ---- Routes (R-01..R-09, R-13, R-14) -------------------------------------------------------- */

/* Immutable but for whose turn it is among equals; any thread, any number. */
typedef struct tandem_route_table tandem_route_table;
typedef struct tandem_route_table_builder tandem_route_table_builder; /* one thread at a time */

enum {
  TANDEM_PREFIX_EXTENSION = 0, /* shorter matching prefixes are appended as fallback */
  TANDEM_PREFIX_EXPIRATION = 1 /* shorter matching prefixes are not tried */
};

typedef struct tandem_vendor_route {
  size_t struct_size;
  const char* gateway;         /* 1..255 bytes, unique. Required. */
  const char* const* prefixes; /* 0..32 characters each; none, or "": every number */
  size_t prefixes_count;
  int32_t prefix_mode; /* TANDEM_PREFIX_* */
  int32_t priority;    /* 0..65535, lower first */
  int32_t line_limit;  /* calls at once; -1 (set by the initialiser): unlimited, 0: none */
  int32_t locked;      /* never a candidate */
  const char* const* allow_customers; /* only these may use it */
  size_t allow_customers_count;
  const char* const* deny_customers; /* all but these may */
  size_t deny_customers_count;
  const tandem_number_policy_config* numbers; /* NULL: every number */
  int32_t protect; /* behind all that are not, whatever prefix and priority (R-08) */
} tandem_vendor_route;
#define TANDEM_VENDOR_ROUTE_INIT \
  { sizeof(tandem_vendor_route), NULL, NULL, 0, 0, 0, -1, 0, NULL, 0, NULL, 0, NULL, 0 }

/* Since 0.1. */
TANDEM_API int tandem_route_table_builder_create(tandem_route_table_builder** out);
/* Gives the vendor the next index, from 0. Errors: INVALID_ARGUMENT, ALREADY_EXISTS; then the
   builder is as it was. Since 0.1. */
TANDEM_API int tandem_route_table_builder_add(tandem_route_table_builder* builder,
                                              const tandem_vendor_route* vendor);
/* Freezes what was added; leaves the builder empty. Since 0.1. */
TANDEM_API int tandem_route_table_builder_build(tandem_route_table_builder* builder,
                                                tandem_route_table** out);
TANDEM_API void tandem_route_table_builder_destroy(tandem_route_table_builder* builder);

/* Calls that the vendor with this index carries now. On the thread of the lookup; must not block
   and must not call tandem. */
typedef uint32_t (*tandem_line_load_fn)(uint32_t gateway, void* user);

enum {
  TANDEM_ROUTE_POLICY_NONE = 0,
  TANDEM_ROUTE_POLICY_ANSWER_RATIO = 1, /* higher percentage of answered attempts first (R-05) */
  TANDEM_ROUTE_POLICY_LOWEST_RATE = 2,  /* lower price of a second first (R-06) */
  TANDEM_ROUTE_POLICY_TALK_TIME = 3     /* longer average talk first (R-05). Since 0.1. */
};

/* One vendor at the moment of a lookup. The library sets struct_size and fills in what the table
   knows; the callback changes what it knows better. */
typedef struct tandem_vendor_standing {
  size_t struct_size;
  int32_t closed;               /* 1: no candidate, as if it were locked (R-13) */
  int32_t priority;             /* 0..65535, lower first */
  int32_t line_limit;           /* -1: unlimited, 0: none */
  int32_t answer_percent;       /* 0..100; -1: not known, counts as the mean of those that are */
  int64_t price_units;          /* price of `price_per_s` seconds in 1e-8 of a currency */
  int64_t price_per_s;          /* 0: no price, behind all that have one */
  int32_t price_as_lowest_only; /* 1: only counts whether the price is the lowest */
  int32_t talk_time_s; /* average of answered calls; -1: not known, as answer_percent. Since 0.1. */
} tandem_vendor_standing;

/* On the thread of the lookup, perhaps twice for one vendor; must answer the same then, must not
   block and must not call tandem. */
typedef void (*tandem_vendor_conditions_fn)(uint32_t gateway, tandem_vendor_standing* standing,
                                            void* user);

typedef struct tandem_route_query {
  size_t struct_size;
  const char* called;       /* 1..32 characters; anything else matches nothing */
  const char* calling;      /* NULL: none */
  const char* customer;     /* id of the customer gateway; NULL: none, passes deny lists only */
  tandem_line_load_fn load; /* NULL: every vendor counts as idle */
  void* load_user;          /* handed to `load` during the lookup; stays the caller's */
  int32_t rotate;           /* 1: vendors that are equal in all else take turns; 0: order by name */
  tandem_vendor_conditions_fn conditions; /* NULL: what the table knows is all */
  void* conditions_user; /* handed to `conditions` during the lookup; stays the caller's */
  /* TANDEM_ROUTE_POLICY_*: what is compared at each place of the order, first one first. */
  int32_t sort_before_prefix[2];
  int32_t sort_after_prefix[2];
  int32_t sort_after_priority[2];
  /* Judged by number lists instead of `called`: without a prefix that only steers, or dialled and
     not where it was ported to; NULL: `called` is. Since 0.1. */
  const char* callee;
  /* Only shorter prefixes count: what follows behind an expiration vendor that could not take the
     call; 0: all of them; 1..255. Since 0.1. */
  int32_t shorter_than;
  int32_t reserved; /* 0 */
} tandem_route_query;
#define TANDEM_ROUTE_QUERY_INIT                                                              \
  {                                                                                          \
    sizeof(tandem_route_query), NULL, NULL, NULL, NULL, NULL, 0, NULL, NULL, {0, 0}, {0, 0}, \
        {0, 0}, NULL, 0, 0                                                                   \
  }

/* Writes up to `capacity` gateway names, best first, and their number to *count; 0 is no route,
   which is TANDEM_OK. `capacity` 1 asks for the best only and costs least. The names live as long
   as the table. Does not allocate. Errors: INVALID_ARGUMENT. Since 0.1. */
TANDEM_API int tandem_route_table_lookup(const tandem_route_table* table,
                                         const tandem_route_query* query, const char** gateways,
                                         size_t capacity, size_t* count);
/* Every vendor once, in order of trial or with what keeps it out, by the code of lookup():
   {"candidates": [{"gateway", "prefix", "rank", "priority", "load_calls", "load_limit",
   "sequence", "protect", "answer_percent", "talk_time_s", "price", "price_per_s"}], "excluded":
   [{"gateway", "reason", "number"}]}. Takes no turn. Since 0.1. */
TANDEM_API int tandem_route_table_explain(const tandem_route_table* table,
                                          const tandem_route_query* query, tandem_text** json);
TANDEM_API size_t
tandem_route_table_size(const tandem_route_table* table); /* vendors. Since 0.1. */
/* Name of the vendor with this index; NULL beyond the end. Lives as long as the table. Since 0.1.
 */
TANDEM_API const char* tandem_route_table_gateway(const tandem_route_table* table, size_t index);
TANDEM_API void tandem_route_table_destroy(tandem_route_table* table); /* Since 0.1. */

/* ---- Sources (A-03) ------------------------------------------------------------------------- */

typedef struct tandem_source_table tandem_source_table; /* immutable; any thread, any number */
typedef struct tandem_source_table_builder tandem_source_table_builder; /* one thread at a time */

typedef struct tandem_customer_source {
  size_t struct_size;
  const char* id;                             /* 1..255 bytes, unique. Required. */
  const char* const* addresses;               /* "IP", "IP/LENGTH", "IP:PORT", "[IPv6]:PORT" */
  size_t addresses_count;                     /* 0: never identified by address */
  int32_t priority;                           /* 0..65535, lower is tried first */
  int32_t locked;                             /* identified; refused by whoever asked */
  const tandem_number_policy_config* numbers; /* NULL: every number */
} tandem_customer_source;
#define TANDEM_CUSTOMER_SOURCE_INIT \
  { sizeof(tandem_customer_source), NULL, NULL, 0, 0, 0, NULL }

enum {
  TANDEM_SOURCE_IDENTIFIED = 0,
  TANDEM_SOURCE_UNKNOWN = 1,   /* no customer has this address */
  TANDEM_SOURCE_RESTRICTED = 2 /* customers have it, none accepts these numbers */
};

typedef struct tandem_source_match {
  size_t struct_size;
  int32_t outcome;      /* TANDEM_SOURCE_* */
  int32_t restriction;  /* TANDEM_NUMBER_*: why `customer` refused */
  const char* customer; /* lives as long as the table; NULL when unknown */
  int32_t locked;       /* of `customer` */
} tandem_source_match;
#define TANDEM_SOURCE_MATCH_INIT \
  { sizeof(tandem_source_match), 0, 0, NULL, 0 }

/* Since 0.1. */
TANDEM_API int tandem_source_table_builder_create(tandem_source_table_builder** out);
/* Errors: INVALID_ARGUMENT, ALREADY_EXISTS; then the builder is as it was. Since 0.1. */
TANDEM_API int tandem_source_table_builder_add(tandem_source_table_builder* builder,
                                               const tandem_customer_source* source);
/* Leaves the builder empty. Since 0.1. */
TANDEM_API int tandem_source_table_builder_build(tandem_source_table_builder* builder,
                                                 tandem_source_table** out);
TANDEM_API void tandem_source_table_builder_destroy(tandem_source_table_builder* builder);
/* Whose call is this? `source`: "IP:PORT" or "IP"; numbers as received. Unknown is TANDEM_OK.
   Errors: INVALID_ARGUMENT (the address). Since 0.1. */
TANDEM_API int tandem_source_table_identify(const tandem_source_table* table, const char* source,
                                            const char* caller, const char* callee,
                                            tandem_source_match* out);
TANDEM_API void tandem_source_table_destroy(tandem_source_table* table); /* Since 0.1. */

/* ---- Rating (B-05..B-12) -------------------------------------------------------------------- */

enum {
  TANDEM_CALL_LEVEL_NONE = 0,
  TANDEM_CALL_LEVEL_INTERNAL = 1,
  TANDEM_CALL_LEVEL_LOCAL = 2,
  TANDEM_CALL_LEVEL_DOMESTIC = 4,
  TANDEM_CALL_LEVEL_INTERNATIONAL = 5
};

/* Price of calls to the numbers that start with `prefix`. */
typedef struct tandem_rate {
  size_t struct_size;
  const char* prefix;           /* 0..32 characters; "" matches every number */
  const char* area;             /* for people; at most 128 bytes */
  int64_t price_units;          /* of `per_s` seconds, >= 0 */
  int64_t per_s;                /* 1..; 0 means 60 */
  int64_t first_s;              /* shortest time that is billed; 0 means 1 */
  int64_t next_s;               /* step that is billed after it; 0 means 1 */
  int64_t connection_fee_units; /* due once a call has billed seconds */
  int64_t minimum_units;        /* least charge of a call with billed seconds */
  int32_t locked;               /* matching calls are refused */
  int32_t call_level;           /* TANDEM_CALL_LEVEL_*: least level of the source */
  int64_t valid_from_us;        /* inclusive; 0: always was */
  int64_t valid_until_us;       /* exclusive; 0: without end */
  const char* sections;         /* "30:0.05;0:0.01" (seconds:price), used once in this order */
  const char* tiers;            /* "60:0.50/60/10;300:0.40" (from_s:price/per_s/next_s) */
  const char* windows;          /* "mon-fri 18:00-24:00 price=0.30;holiday price=0.20" */
  int64_t grace_s;              /* a call of at most so many seconds costs nothing */
  int64_t free_s;               /* taken off every call */
  int64_t maximum_units;        /* most that a call costs before tax; 0: no bound */
  const char* tax_percent;      /* "23", before the rounding; NULL: what the rules say */
  const char* schedule;         /* what windows are judged by: words such as split,
                                   zone=Europe/London, sat=work, 2026-12-25=holiday; NULL: UTC,
                                   Monday to Friday work. A deck has its own for all its rates. */
} tandem_rate;
#define TANDEM_RATE_INIT                                                                       \
  {                                                                                            \
    sizeof(tandem_rate), NULL, NULL, 0, 60, 1, 1, 0, 0, 0, 0, 0, 0, NULL, NULL, NULL, 0, 0, 0, \
        NULL, NULL                                                                             \
  }

enum { TANDEM_FEE_HALF_UP = 0, TANDEM_FEE_HALF_EVEN = 1, TANDEM_FEE_UP = 2, TANDEM_FEE_DOWN = 3 };

/* The parameters that every charge obeys. Where NULL is given the values of the initialiser hold.
 */
typedef struct tandem_fee_rules {
  size_t struct_size;
  int32_t precision;              /* decimals kept in a fee, 0..8 */
  int32_t rounding;               /* TANDEM_FEE_* */
  int64_t unit_units;             /* then up to a multiple of this; 0: none */
  int32_t hold_time_precision_ms; /* from this many ms on a second counts, 1..1000 */
  int64_t free_time_s;            /* taken off every call */
  int64_t tax_percent_units;      /* of who pays, for rates without one; 100000000 is 1 percent */
} tandem_fee_rules;
#define TANDEM_FEE_RULES_INIT \
  { sizeof(tandem_fee_rules), 6, TANDEM_FEE_HALF_UP, 0, 50, 0, 0 }

typedef struct tandem_charge {
  size_t struct_size;
  int64_t charge_units;
  int64_t billed_time_s; /* paid time, whole increments */
} tandem_charge;
#define TANDEM_CHARGE_INIT \
  { sizeof(tandem_charge), 0, 0 }

/* The charge of a call of `talk_time_ms` (>= 0). Errors: INVALID_ARGUMENT, LIMIT (larger than an
   amount). Any thread. Since 0.1. */
TANDEM_API int tandem_rate_call(const tandem_rate* rate, int64_t talk_time_ms,
                                const tandem_fee_rules* rules, tandem_charge* out);
/* The longest talk time in whole seconds whose charge is at most `usable_units`: the exact inverse
   of tandem_rate_call(). 1,000,000,000: without end. Any thread. Since 0.1. */
TANDEM_API int tandem_available_time(const tandem_rate* rate, int64_t usable_units,
                                     const tandem_fee_rules* rules, int64_t* seconds);
/* Both for a call that was answered at `answered_at_us` (microseconds since 1970 UTC), which is
   what windows are judged from; the functions above are for rates without windows. Since 0.1. */
TANDEM_API int tandem_rate_call_at(const tandem_rate* rate, int64_t answered_at_us,
                                   int64_t talk_time_ms, const tandem_fee_rules* rules,
                                   tandem_charge* out);
TANDEM_API int tandem_available_time_at(const tandem_rate* rate, int64_t answered_at_us,
                                        int64_t usable_units, const tandem_fee_rules* rules,
                                        int64_t* seconds);
/* The charge of a record, made again from its `rate_terms`. Errors: INVALID_ARGUMENT, LIMIT. Any
   thread. Since 0.1. */
TANDEM_API int tandem_recompute_charge(const char* rate_terms, int64_t answered_at_us,
                                       int64_t talk_time_ms, tandem_charge* out);
/* Whole seconds of a talk time, before free time is taken off. Any thread. Since 0.1. */
TANDEM_API int tandem_billable_seconds(int64_t talk_time_ms, const tandem_fee_rules* rules,
                                       int64_t* seconds);

typedef struct tandem_rate_deck tandem_rate_deck; /* immutable; any thread, any number */
typedef struct tandem_rate_deck_builder tandem_rate_deck_builder; /* one thread at a time */

/* `id`: required; `currency`: NULL for none. Since 0.1. */
TANDEM_API int tandem_rate_deck_builder_create(const char* id, const char* currency,
                                               tandem_rate_deck_builder** out);
/* Errors: INVALID_ARGUMENT, ALREADY_EXISTS (prefix and valid_from_us), LIMIT; then the builder is
   as it was. Since 0.1. */
TANDEM_API int tandem_rate_deck_builder_add(tandem_rate_deck_builder* builder,
                                            const tandem_rate* rate);
/* Adds the rows of a CSV deck: a header line with column names, `prefix` and `price` among them.
   `name`: how errors call the text. A failure may leave some rows added: throw the builder away.
   Errors: INVALID_ARGUMENT (names row and column), ALREADY_EXISTS, UNSUPPORTED, LIMIT. Since 0.1.
 */
TANDEM_API int tandem_rate_deck_builder_add_csv(tandem_rate_deck_builder* builder, const char* text,
                                                size_t text_size, const char* name);
/* The same from a file. Errors: also IO. Blocks. Since 0.1. */
TANDEM_API int tandem_rate_deck_builder_add_csv_file(tandem_rate_deck_builder* builder,
                                                     const char* path);
/* Adds a price list as a partner sends it, whatever columns, dates and code lists it has
   (docs/deck-import.md). `layout`: what is known of it, "price=Rate per min;dates=day_first"; NULL:
   nothing. *json (NULL: not wanted) gets what was found: rates rows header_row currency mapping[]
   ignored[] faults[] fault_count preview[], also when rows are wrong; then nothing is added.
   Errors: INVALID_ARGUMENT (no header, or wrong rows), ALREADY_EXISTS, LIMIT. Since 0.1. */
TANDEM_API int tandem_rate_deck_builder_import(tandem_rate_deck_builder* builder, const char* text,
                                               size_t text_size, const char* layout,
                                               tandem_text** json);
/* What the windows of all rates are judged by, in the words of tandem_rate::schedule. Errors:
   INVALID_ARGUMENT. Since 0.1. */
TANDEM_API int tandem_rate_deck_builder_set_schedule(tandem_rate_deck_builder* builder,
                                                     const char* schedule);
/* Leaves the builder empty. Errors: LIMIT. Since 0.1. */
TANDEM_API int tandem_rate_deck_builder_build(tandem_rate_deck_builder* builder,
                                              tandem_rate_deck** out);
TANDEM_API void tandem_rate_deck_builder_destroy(tandem_rate_deck_builder* builder);

/* The rate of the longest prefix of `callee` that is valid at `at_us`. *reason is 0, or the number
   of RateNotFound, RateLocked or NoCallPermission, which are TANDEM_OK; *out is filled unless none
   was found. Its texts live as long as the deck. `level`: of the caller, TANDEM_CALL_LEVEL_*.
   Since 0.1. */
TANDEM_API int tandem_rate_deck_find(const tandem_rate_deck* deck, const char* callee,
                                     int64_t at_us, int32_t level, int32_t* reason,
                                     tandem_rate* out);
/* Rates a call as the switch would, with every step of the calculation, as JSON: charge
   billed_time_s rate_prefix currency steps[]. `free_numbers`: comma text, "110, 800*"; NULL for
   none. Errors: NOT_FOUND (no rate), WRONG_STATE (the rate is locked), INVALID_ARGUMENT, LIMIT.
   Since 0.1. */
TANDEM_API int tandem_rate_deck_rate_number(const tandem_rate_deck* deck, const char* callee,
                                            int64_t talk_time_ms, int64_t at_us,
                                            const tandem_fee_rules* rules, const char* free_numbers,
                                            tandem_text** json);
/* What selling by one deck and buying by the best of others leaves, by prefix, losses first, as a
   JSON array: prefix area sell best_buy best_deck average_buy margin_percent; prices are of 60
   seconds at `at_us`. Errors: INVALID_ARGUMENT (currencies). Any thread. Since 0.1. */
TANDEM_API int tandem_margin_report(const tandem_rate_deck* sell,
                                    const tandem_rate_deck* const* buys, size_t buy_count,
                                    int64_t at_us, tandem_text** json);
/* How many characters at the start of `callee` only steer routing and are not rated by the deck
   (B-14). `prefixes`: comma text, or NULL; `characters`: instead of prefixes, so many of every
   longer number. Errors: INVALID_ARGUMENT. Any thread. Since 0.1. */
TANDEM_API int tandem_rate_deck_route_prefix_length(const tandem_rate_deck* deck,
                                                    const char* prefixes, int32_t characters,
                                                    const char* callee, size_t* length);
TANDEM_API size_t tandem_rate_deck_size(const tandem_rate_deck* deck); /* rates. Since 0.1. */
/* The rate at `index`, by prefix, then valid_from_us. Errors: NOT_FOUND. Since 0.1. */
TANDEM_API int tandem_rate_deck_rate(const tandem_rate_deck* deck, size_t index, tandem_rate* out);
TANDEM_API void tandem_rate_deck_destroy(tandem_rate_deck* deck); /* Since 0.1. */

/* ---- Accounts (B-02, B-10) ------------------------------------------------------------------ */

/* Balances and what running calls hold of them. Any thread, any number. Must outlive its holds and
   meters. */
typedef struct tandem_account_book tandem_account_book;
typedef struct tandem_money_hold tandem_money_hold; /* money of one call; one thread at a time */
typedef struct tandem_call_meter tandem_call_meter; /* keeps one call inside its money; likewise */

enum {
  TANDEM_ACCOUNT_CUSTOMER = 0, /* pays for calls; never beyond balance + overdraft limit */
  TANDEM_ACCOUNT_CLEARING = 1, /* a vendor: below zero too */
  TANDEM_ACCOUNT_AGENT = 2,    /* pays for the calls of its customers too, within its money */
  TANDEM_ACCOUNT_CARD = 3      /* a customer that was paid in advance: no overdraft */
};

typedef struct tandem_account_settings {
  size_t struct_size;
  const char* id; /* 1..64 bytes. Required. */
  int32_t kind;   /* TANDEM_ACCOUNT_* */
  int32_t locked; /* refuses new calls; running ones go on */
  int64_t overdraft_limit_units;
  const char* currency;   /* cannot change later */
  const char* rate_deck;  /* NULL: calls are not rated */
  int64_t valid_until_us; /* exclusive; 0: without end */
  int32_t call_level;     /* TANDEM_CALL_LEVEL_* */
  const char* memo;
  int64_t tax_percent_units; /* as in tandem_fee_rules, for its calls */
  const char* agent;         /* id of an account of kind agent; NULL for none */
  int32_t is_unbound;        /* 1: its calls are not bound to its money */
  const char* limits_json;   /* limits by the hour, day or month, as `limits` of an account in a
                                configuration, a JSON array; NULL: none */
} tandem_account_settings;
#define TANDEM_ACCOUNT_SETTINGS_INIT \
  { sizeof(tandem_account_settings), NULL, 0, 0, 0, NULL, NULL, 0, 0, NULL, 0, NULL, 0, NULL }

typedef struct tandem_account_state {
  size_t struct_size;
  int64_t balance_units; /* posted: payments less settled charges */
  int64_t held_units;    /* reserved by running calls */
  int64_t usable_units;  /* balance + overdraft limit - held */
  int64_t open_holds;
  uint64_t refused_calls;
  int64_t largest_overdraft_units; /* how far below its limit it can come by what is held; -1:
                                      without bound (docs/rating.md) */
} tandem_account_state;
#define TANDEM_ACCOUNT_STATE_INIT \
  { sizeof(tandem_account_state), 0, 0, 0, 0, 0, 0 }

TANDEM_API int tandem_account_book_create(tandem_account_book** out); /* Since 0.1. */
/* Creates the account with `opening_units`, or updates it and leaves the balance alone. Errors:
   INVALID_ARGUMENT, LIMIT. Since 0.1. */
TANDEM_API int tandem_account_book_provision(tandem_account_book* book,
                                             const tandem_account_settings* settings,
                                             int64_t opening_units);
/* Sets the posted balance; holds stay. Errors: NOT_FOUND, INVALID_ARGUMENT. Since 0.1. */
TANDEM_API int tandem_account_book_restore(tandem_account_book* book, const char* id,
                                           int64_t balance_units);
/* Posts a payment, negative: a deduction. `balance_units` (NULL: not wanted) gets the new balance.
   Errors: NOT_FOUND, INVALID_ARGUMENT (zero), LIMIT. Since 0.1. */
TANDEM_API int tandem_account_book_pay(tandem_account_book* book, const char* id, int64_t units,
                                       int64_t* balance_units);
/* Takes a charge (>= 0) without asking what is there. Errors and result as pay(). Since 0.1. */
TANDEM_API int tandem_account_book_charge(tandem_account_book* book, const char* id, int64_t units,
                                          int64_t* balance_units);
/* Errors: NOT_FOUND. Since 0.1. */
TANDEM_API int tandem_account_book_state(const tandem_account_book* book, const char* id,
                                         tandem_account_state* out);
/* All accounts as a JSON array in order of id. Since 0.1. */
TANDEM_API int tandem_account_book_snapshot(const tandem_account_book* book, tandem_text** json);
/* The limits of an account in their windows of `at_us` (microseconds since 1970 UTC), a JSON array
   with what is used and held of each; empty when it has none. Since 0.1. */
TANDEM_API int tandem_account_book_limits(const tandem_account_book* book, const char* id,
                                          int64_t at_us, tandem_text** json);

/* What calls used of a limit in one window, as tandem_account_book_limits() showed it. */
typedef struct tandem_limit_use {
  size_t struct_size;
  const char* account;
  const char* limit; /* `key` of the limit */
  int64_t start_us;  /* the window, microseconds since 1970 UTC; `until_us` exclusive */
  int64_t until_us;
  int64_t charge_units;
  int64_t talk_s;
  int64_t calls;
} tandem_limit_use;
#define TANDEM_LIMIT_USE_INIT \
  { sizeof(tandem_limit_use), NULL, NULL, 0, 0, 0, 0, 0 }
/* Adds what was used before the book was made; of an account that is not there yet, when it is
   provisioned. Errors: INVALID_ARGUMENT. Since 0.1. */
TANDEM_API int tandem_account_book_restore_limit(tandem_account_book* book,
                                                 const tandem_limit_use* use);
TANDEM_API void tandem_account_book_destroy(tandem_account_book* book); /* Since 0.1. */

/* Admits a call that must hold `units` before it is tried. *reason is 0 and *out the hold, or
   *reason says why not (AccountBalanceNotEnough, AccountLocked, AccountExpired, AccountNotExist)
   and *out is NULL: both are TANDEM_OK. `now_us`: since 1970 UTC. Since 0.1. */
TANDEM_API int tandem_money_hold_open(tandem_account_book* book, const char* account, int64_t units,
                                      int64_t now_us, int32_t* reason, tandem_money_hold** out);
/* Raises the hold to `units`. Errors: LIMIT (the account does not have it; nothing changed).
   Since 0.1. */
TANDEM_API int tandem_money_hold_renew(tandem_money_hold* hold, int64_t units);
/* Takes the charge from the balance and closes the hold; *taken_units (NULL: not wanted) is what
   was taken: less than asked when neither hold nor account had it. Errors: WRONG_STATE (closed).
   Since 0.1. */
TANDEM_API int tandem_money_hold_settle(tandem_money_hold* hold, int64_t charge_units,
                                        int64_t* taken_units);
TANDEM_API int64_t tandem_money_hold_units(const tandem_money_hold* hold); /* held. Since 0.1. */
/* Gives back what was not settled. Since 0.1. */
TANDEM_API void tandem_money_hold_destroy(tandem_money_hold* hold);

typedef struct tandem_meter_verdict {
  size_t struct_size;
  int32_t must_end;              /* end the call now: `reason` says why */
  int64_t check_at_monotonic_us; /* else call on_timer() then; INT64_MAX: never */
  int32_t reason; /* of a call that must end: BalanceExhausted, AccountLimitReached */
} tandem_meter_verdict;
#define TANDEM_METER_VERDICT_INIT \
  { sizeof(tandem_meter_verdict), 0, 0, 0 }

/* Admits a call at this rate and meters it; holds the charge of its first second. *reason and *out
   as in tandem_money_hold_open(). `rate` and `rules` are copied. Errors: INVALID_ARGUMENT, LIMIT.
   Since 0.1. */
TANDEM_API int tandem_call_meter_open(tandem_account_book* book, const char* account,
                                      const tandem_rate* rate, const tandem_fee_rules* rules,
                                      int64_t now_us, int32_t* reason, tandem_call_meter** out);
/* The same for a call to `callee`, which limits with prefixes look at; without it a call counts in
   limits of all numbers only. *reason may be AccountLimitReached too. Since 0.1. */
TANDEM_API int tandem_call_meter_open_to(tandem_account_book* book, const char* account,
                                         const char* callee, const tandem_rate* rate,
                                         const tandem_fee_rules* rules, int64_t now_us,
                                         int32_t* reason, tandem_call_meter** out);
/* The call is answered, for a rate with windows: `answered_at_us` is the same moment in
   microseconds since 1970 UTC. Since 0.1. */
TANDEM_API int tandem_call_meter_start_at(tandem_call_meter* meter, int64_t now_monotonic_us,
                                          int64_t answered_at_us, tandem_meter_verdict* out);
/* The call is answered. Since 0.1. */
TANDEM_API int tandem_call_meter_start(tandem_call_meter* meter, int64_t now_monotonic_us,
                                       tandem_meter_verdict* out);
/* Due at the time of the last verdict; early and late is fine. Since 0.1. */
TANDEM_API int tandem_call_meter_on_timer(tandem_call_meter* meter, int64_t now_monotonic_us,
                                          tandem_meter_verdict* out);
/* The call has ended: settles its charge, once; later calls give a zero charge. Since 0.1. */
TANDEM_API int tandem_call_meter_finish(tandem_call_meter* meter, int64_t talk_time_ms,
                                        tandem_charge* out);
/* Gives back what was not settled: the call was not answered. Since 0.1. */
TANDEM_API void tandem_call_meter_destroy(tandem_call_meter* meter);

/* ---- Packages (B-18, B-20..B-24) ------------------------------------------------------------ */

/* Orders of packages and their periods (docs/packages.md). Time comes from the caller. Any thread;
   steps one after the other. */
typedef struct tandem_package_book tandem_package_book;

/* Money that a package wants. Ends with the call. */
typedef struct tandem_package_due {
  size_t struct_size;
  int32_t is_rent;         /* else what is missing to a minimum */
  int32_t must_be_covered; /* 0: taken whatever the account has */
  const char* key;         /* the same however often it is asked for: take it once */
  const char* account;
  const char* order;
  const char* package; /* "": monthly rules of the account or phone */
  int64_t period_start_us;
  int64_t amount_units; /* > 0 */
  int64_t at_us;        /* when it was due */
  const char* phone;    /* whose package it is; "": the account's */
} tandem_package_due;

/* Who has the money and keeps the steps. Called inside of the functions that are given it, on their
   thread; must not call the book. */
typedef struct tandem_package_host {
  size_t struct_size;
  /* Required. 1: the money is taken, now or before with the same key; 0: the account does not have
     it; below 0: the step is tried again by the next call. */
  int (*take)(const tandem_package_due* due, void* user);
  /* Keeps a step (JSON) for tandem_package_book_restore(); below 0: as above. NULL: not kept. */
  int (*keep)(const char* change, void* user);
  void* user;
} tandem_package_host;
#define TANDEM_PACKAGE_HOST_INIT \
  { sizeof(tandem_package_host), NULL, NULL, NULL }

/* What a call cost. */
typedef struct tandem_packaged_charge {
  size_t struct_size;
  int64_t charge_units;         /* to the balance */
  int64_t billed_time_s;        /* without what gift seconds stand for */
  int64_t package_charge_units; /* gift money */
  int64_t package_time_s;       /* gift seconds, whole cycles */
} tandem_packaged_charge;
#define TANDEM_PACKAGED_CHARGE_INIT \
  { sizeof(tandem_packaged_charge), 0, 0, 0, 0 }

TANDEM_API int tandem_package_book_create(tandem_package_book** out); /* Since 0.1. */
/* What is sold, ordered and owed from now on: one JSON object with the lists `packages`,
   `package_orders`, `calendars`, `accounts` and `phones` (only their monthly rules, and who pays
   for a phone) of a configuration, and `timezone`. Errors: INVALID_ARGUMENT (with a JSON pointer),
   NOT_FOUND, ALREADY_EXISTS, LIMIT; then nothing has changed. Since 0.1. */
TANDEM_API int tandem_package_book_provision(tandem_package_book* book, const char* json);
/* Gives back the last step of an order that was kept, and what calls took since the period that it
   opened began: texts of tandem_package_book_charge(), joined by ';'; NULL for none. Before the
   first advance. Errors: CORRUPT. Since 0.1. */
TANDEM_API int tandem_package_book_restore(tandem_package_book* book, const char* change,
                                           const char* use);
/* Takes all steps that are due at `now_us`, microseconds since 1970 UTC. *next_us (NULL: not asked)
   is when the next one is; INT64_MAX: never. Errors: IO (the host's). Since 0.1. */
TANDEM_API int tandem_package_book_advance(tandem_package_book* book, int64_t now_us,
                                           const tandem_package_host* host, int64_t* next_us);
/* Money came to an account: tries the orders that wait for it. Errors: IO. Since 0.1. */
TANDEM_API int tandem_package_book_recharge(tandem_package_book* book, const char* account,
                                            int64_t now_us, const tandem_package_host* host);
/* Current periods of an account in the order of their use, and behind them those that it pays for
   its phones, as a JSON array. Since 0.1. */
TANDEM_API int tandem_package_book_current(const tandem_package_book* book, const char* account,
                                           tandem_text** json);
/* Those of one phone. Since 0.1. */
TANDEM_API int tandem_package_book_phone_current(const tandem_package_book* book,
                                                 const char* number, tandem_text** json);
/* Charges a call that is over, with what packages have now. `rate`: where no period rate holds;
   `rules`: NULL for the defaults. *use (NULL: not asked): what it took, for a restore. Errors:
   INVALID_ARGUMENT, LIMIT. Since 0.1. */
TANDEM_API int tandem_package_book_charge(tandem_package_book* book, const char* account,
                                          const char* callee, int64_t answered_at_us,
                                          int64_t talk_time_ms, const tandem_rate* rate,
                                          const tandem_fee_rules* rules,
                                          tandem_packaged_charge* out, tandem_text** use);
/* The same of a call that a phone of the account made: with the packages of both. Since 0.1. */
TANDEM_API int tandem_package_book_phone_charge(tandem_package_book* book, const char* account,
                                                const char* number, const char* callee,
                                                int64_t answered_at_us, int64_t talk_time_ms,
                                                const tandem_rate* rate,
                                                const tandem_fee_rules* rules,
                                                tandem_packaged_charge* out, tandem_text** use);
TANDEM_API void tandem_package_book_destroy(tandem_package_book* book); /* Since 0.1. */

/* ---- Call detail records (C-01..C-08) ------------------------------------------------------- */

enum { TANDEM_RELEASE_CALLER = 0, TANDEM_RELEASE_CALLEE = 1, TANDEM_RELEASE_SERVER = 2 };

/* Charge of one side of a call. */
typedef struct tandem_charge_facts {
  size_t struct_size;
  const char* account;
  int64_t charge_units;
  int64_t billed_time_s;
  const char* rate_prefix;
  const char* currency;
  const char* rate_deck;
  const char* rate_terms;       /* what the charge was made of, for tandem_recompute_charge() */
  int64_t package_charge_units; /* paid by gift money, beside charge_units */
  int64_t package_time_s;       /* gift seconds used */
} tandem_charge_facts;
#define TANDEM_CHARGE_FACTS_INIT \
  { sizeof(tandem_charge_facts), NULL, 0, 0, NULL, NULL, NULL, NULL, 0, 0 }

/* One try on one vendor gateway. */
typedef struct tandem_attempt {
  size_t struct_size;
  const char* vendor_gateway;
  int32_t sip_status; /* the vendor's own final status; 0: none came */
  int32_t q850_cause;
  int32_t reason; /* number of a name of C-08 */
  int64_t started_at_us;
  int64_t ended_at_us;
  const char* caller_out; /* numbers as this vendor got them */
  const char* callee_out;
} tandem_attempt;
#define TANDEM_ATTEMPT_INIT \
  { sizeof(tandem_attempt), NULL, 0, 0, 0, 0, 0, NULL, NULL }

/* Why nothing is heard of one side of a call (MediaCause of tandem/cdr.hpp). */
enum {
  TANDEM_MEDIA_CAUSE_NONE = 0,
  TANDEM_MEDIA_CAUSE_NOT_DESCRIBED = 1,
  TANDEM_MEDIA_CAUSE_NEVER_SENT = 2,
  TANDEM_MEDIA_CAUSE_PRIVATE_ADDRESS = 3,
  TANDEM_MEDIA_CAUSE_SOURCE_REFUSED = 4,
  TANDEM_MEDIA_CAUSE_SOURCE_DENIED = 5,
  TANDEM_MEDIA_CAUSE_MALFORMED = 6,
  TANDEM_MEDIA_CAUSE_NOT_NEGOTIATED = 7,
  TANDEM_MEDIA_CAUSE_OTHER_SIDE_UNKNOWN = 8,
  TANDEM_MEDIA_CAUSE_BLOCKED = 9,
  TANDEM_MEDIA_CAUSE_SEND_FAILED = 10,
  TANDEM_MEDIA_CAUSE_STOPPED = 11,
  TANDEM_MEDIA_CAUSE_SRTP_FAILURE = 12,
  TANDEM_MEDIA_CAUSE_ICE_UNCHECKED = 13,       /* no authentic check of ICE came */
  TANDEM_MEDIA_CAUSE_DTLS_FAILED = 14,         /* the handshake failed, or never came */
  TANDEM_MEDIA_CAUSE_FINGERPRINT_MISMATCH = 15 /* another certificate than was described */
};
/* "never_sent"; "" of NONE and of unknown numbers. Static. Since 0.1. */
TANDEM_API const char* tandem_media_cause_name(int32_t cause);

/* What the relay counted on one side of a call. */
typedef struct tandem_media_side_stats {
  size_t struct_size;
  uint64_t packets_received;
  uint64_t bytes_received; /* RTP with header, without IP and UDP */
  uint64_t packets_sent;
  uint64_t packets_lost;
  uint32_t jitter_us; /* RFC 3550 section 6.4.1 */
  uint64_t packets_refused;
  tandem_address remote;         /* where media came from */
  int32_t cause;                 /* TANDEM_MEDIA_CAUSE_*: why it is not heard */
  uint32_t digits;               /* keys it pressed (RFC 4733) */
  tandem_address signalled;      /* where its description wanted media */
  uint64_t packets_unnegotiated; /* of payload types that nobody agreed on; passed on */
  uint64_t reported_lost;        /* of what was sent to it, by its last RTCP report */
  uint32_t reported_jitter_us;
  uint64_t srtp_failures; /* packets that the agreed key did not fit; refused */
  uint32_t jitter_late;   /* where it was converted: packets that came after their place had gone */
  uint32_t jitter_lost;   /* ... that had not come when their place went */
  uint32_t jitter_depth_ms; /* greatest depth of the jitter buffer; 0: nothing was buffered */
  uint32_t reserved;        /* 0 */
} tandem_media_side_stats;
#define TANDEM_MEDIA_SIDE_STATS_INIT                                                               \
  {                                                                                                \
    sizeof(tandem_media_side_stats), 0, 0, 0, 0, 0, 0, {{0}, 0}, 0, 0, {{0}, 0}, 0, 0, 0, 0, 0, 0, \
        0, 0                                                                                       \
  }

/* One closed call. */
typedef struct tandem_cdr {
  size_t struct_size;
  uint64_t record_id;           /* never reused by one switch; key for dropping duplicates */
  const char* call_id;          /* Call-ID of the inbound leg */
  const char* customer_gateway; /* NULL: unknown source */
  const char* vendor_gateway;   /* the last one tried; NULL: none was */
  const char* caller_ip;        /* signalling address, "IP:PORT" */
  const char* callee_ip;
  const char* caller_product; /* User-Agent or Server */
  const char* callee_product;
  const char* caller_in;  /* as it came */
  const char* caller;     /* for routing and billing */
  const char* caller_out; /* as the vendor got it */
  const char* callee_in;
  const char* callee;
  const char* callee_out;
  int64_t started_at_us;
  int64_t answered_at_us; /* 0: never */
  int64_t ended_at_us;
  int64_t pdd_ms; /* -1: neither ringing nor answer */
  int64_t talk_time_ms;
  const tandem_charge_facts* customer; /* NULL: nobody pays */
  const tandem_charge_facts* vendor;   /* NULL: no vendor with an account was tried */
  int32_t end_reason;                  /* number of a name of C-08 */
  int32_t end_code;
  int32_t sip_status; /* final status sent to the customer; 0: none */
  int32_t q850_cause;
  int32_t release_side;                  /* TANDEM_RELEASE_* */
  const tandem_attempt* const* attempts; /* pointers, since the structure may grow */
  size_t attempts_count;
  int32_t media_relayed;
  const tandem_media_side_stats* media_caller; /* NULL: nothing counted */
  const tandem_media_side_stats* media_callee;
  const char* lrn; /* location routing number of the callee; "": not ported or not asked */
  const char* callee_region;
  const char* caller_region;
  const tandem_charge_facts* agent; /* of the customer's agent; NULL: it has none */
  const char* choices; /* candidates it came to and why each was taken or passed over (R-23), as
                          docs/cdr.md has the text; tandem_cdr_to_json() writes it out */
  const char* codec;   /* negotiated, "PCMA"; "": nothing was answered. Since 0.1. */
  const char* caller_codecs; /* what the caller described last, "PCMA,PCMU,telephone-event" */
  const char* callee_codecs;
  const char* recording; /* file below the folder of recordings (M-15); "": none */
  int32_t call_level;    /* TANDEM_CALL_LEVEL_* of the customer's rate (N-07) */
  int32_t reserved;      /* 0 */
} tandem_cdr;
#define TANDEM_CDR_INIT                                                                            \
  {                                                                                                \
    sizeof(tandem_cdr), 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, \
        NULL, 0, 0, 0, -1, 0, NULL, NULL, 0, 0, 0, 0, 0, NULL, 0, 0, NULL, NULL, NULL, NULL, NULL, \
        NULL, NULL, NULL, NULL, NULL, NULL, 0, 0                                                   \
  }

/* The record as one JSON object without line end. Errors: INVALID_ARGUMENT. Any thread.
   Since 0.1. */
TANDEM_API int tandem_cdr_to_json(const tandem_cdr* cdr, tandem_text** json);
/* The record as a CSV row, and the header line for it; without line ends. Any thread. Since 0.1. */
TANDEM_API int tandem_cdr_to_csv(const tandem_cdr* cdr, tandem_text** row);
TANDEM_API int tandem_cdr_csv_header(tandem_text** header);

/* Takes one record; *cdr ends with the call. Return TANDEM_OK, or a TANDEM_ERR_* to have the record
   offered again after a pause: delivery is at least once, in order of release. On the sink's own
   thread, one call at a time; may block; must not destroy what it is a sink of. */
typedef int (*tandem_cdr_write_fn)(const tandem_cdr* cdr, void* user);
/* Makes every record taken so far durable; the sink's place moves on only when it succeeds. After
   an error every record since the last success is written again; whatever its code, it is about the
   sink, and no record is set aside for it. */
typedef int (*tandem_cdr_flush_fn)(void* user);

typedef struct tandem_cdr_sink_config {
  size_t struct_size;
  tandem_cdr_write_fn write; /* required */
  tandem_cdr_flush_fn flush; /* NULL: nothing to flush */
  void (*user_free)(void* user);
  void* user;
} tandem_cdr_sink_config;
#define TANDEM_CDR_SINK_CONFIG_INIT \
  { sizeof(tandem_cdr_sink_config), NULL, NULL, NULL, NULL }

enum { TANDEM_CSV_LAYOUT_CSV = 0, TANDEM_CSV_LAYOUT_PIPE = 1 /* the 18 fields of C-04 */ };

typedef struct tandem_csv_sink_config {
  size_t struct_size;
  const char* path; /* a file; with `hourly` a folder. Required. */
  int32_t layout;   /* TANDEM_CSV_LAYOUT_* */
  int32_t hourly;   /* one file per UTC hour */
  int32_t no_header;
  int32_t answered_only;
} tandem_csv_sink_config;
#define TANDEM_CSV_SINK_CONFIG_INIT \
  { sizeof(tandem_csv_sink_config), NULL, 0, 0, 0, 0 }

/* A destination for records. One thread at a time. Whoever takes a sink (a journal, a switch) owns
   it from that moment, also when taking it fails; otherwise destroy it. */
typedef struct tandem_cdr_sink tandem_cdr_sink;

/* Since 0.1. */
TANDEM_API int tandem_cdr_sink_create(const tandem_cdr_sink_config* config, tandem_cdr_sink** out);
/* Errors: IO, CORRUPT, ALREADY_EXISTS (another process writes there). Since 0.1. */
TANDEM_API int tandem_cdr_sink_create_csv(const tandem_csv_sink_config* config,
                                          tandem_cdr_sink** out);
/* Files of an interval each for programs that take them; complete ones have their names (C-05). */
typedef struct tandem_cdr_files_config {
  size_t struct_size;
  const char* folder;    /* required; made when absent, its parent must exist */
  int32_t layout;        /* TANDEM_CSV_LAYOUT_... */
  int32_t no_header;     /* 1: no first line in csv files */
  int32_t answered_only; /* 1: no unanswered calls */
  int32_t interval_s;    /* time that a file is for, 60..86400; 0 means 300 */
  uint32_t records_max;  /* of a file; 0: any number */
  uint32_t files_max;    /* complete files that are kept; 0 means 2048 */
  int32_t keep_all;      /* 1: all of them */
} tandem_cdr_files_config;
#define TANDEM_CDR_FILES_CONFIG_INIT \
  { sizeof(tandem_cdr_files_config), NULL, 0, 0, 0, 0, 0, 0, 0 }
/* Errors as above, INVALID_ARGUMENT. Since 0.1. */
TANDEM_API int tandem_cdr_sink_create_files(const tandem_cdr_files_config* config,
                                            tandem_cdr_sink** out);
/* Records pushed to a server by HTTP POST (C-06, I-06); docs/remote-sinks.md has the form. */
typedef struct tandem_cdr_push_config {
  size_t struct_size;
  const char* folder;         /* required; where the sink keeps its place */
  const char* url;            /* required; "http[s]://host[:port]/path" */
  const char* token;          /* bearer token; NULL or "": none */
  const char* secret;         /* signs each request; NULL or "": unsigned */
  const char* const* headers; /* further "Name: value" lines, at most 16 */
  size_t headers_count;
  int32_t batch_records; /* most in one request, 1..10000; 0 means 500 */
  int32_t timeout_ms;    /* for one request, 100..120000; 0 means 10000 */
  /* https only, files in PEM, read for each connection. */
  const char* tls_ca;          /* authorities of the server's certificate; NULL: the system's */
  const char* tls_certificate; /* shown to a server that asks for one; NULL: none */
  const char* tls_key;         /* of tls_certificate; NULL: it is in the same file */
} tandem_cdr_push_config;
#define TANDEM_CDR_PUSH_CONFIG_INIT \
  { sizeof(tandem_cdr_push_config), NULL, NULL, NULL, NULL, NULL, 0, 0, 0, NULL, NULL, NULL }
/* Errors as above, INVALID_ARGUMENT. Since 0.1. */
TANDEM_API int tandem_cdr_sink_create_push(const tandem_cdr_push_config* config,
                                           tandem_cdr_sink** out);
/* Records in daily partitions of a database server (C-03). */
typedef struct tandem_cdr_sql_config {
  size_t struct_size;
  const char* folder;     /* required; where the sink keeps its place for when the server is away */
  const char* connection; /* PostgreSQL: as libpq takes it; MariaDB: "host=... database=..." */
  const char* table;      /* NULL means "cdr" */
  const char* source;     /* this switch in the table; NULL means "tandem" */
  int32_t retention_days; /* whole days before today that are kept, up to 36500; 0: all */
  int32_t ahead_days;     /* partitions made ahead, up to 60; 0 means 3, -1 none */
  int32_t batch_records;  /* most in one transaction, 1..100000; 0 means 10000 */
  int32_t timeout_ms;     /* for a step of a transaction, 2000..600000; 0 means 30000 */
  const char* database;   /* file with disputes, whose days stay, and with the list of days that
                             were deleted; NULL: neither */
  const char* journal;    /* its folder: days of records set aside stay, too; NULL: they do not */
} tandem_cdr_sql_config;
#define TANDEM_CDR_SQL_CONFIG_INIT \
  { sizeof(tandem_cdr_sql_config), NULL, NULL, NULL, NULL, 0, 0, 0, 0, NULL, NULL }
/* Errors as above, INVALID_ARGUMENT, UNSUPPORTED (built without libpq or libmariadb). The server
   may be away. Since 0.1. */
TANDEM_API int tandem_cdr_sink_create_postgresql(const tandem_cdr_sql_config* config,
                                                 tandem_cdr_sink** out);
TANDEM_API int tandem_cdr_sink_create_mariadb(const tandem_cdr_sql_config* config,
                                              tandem_cdr_sink** out); /* Since 0.1. */
/* SQLite day files in `folder`. Errors as above. Since 0.1. */
TANDEM_API int tandem_cdr_sink_create_sqlite(const char* folder, tandem_cdr_sink** out);
/* Sums of calls by five minutes, hours and days in "slots.db" in `folder` (C-11), of the days of
   `timezone` (NULL or "": UTC). Errors as above, INVALID_ARGUMENT (no such zone; the sums that are
   there are of another one). Since 0.1. */
TANDEM_API int tandem_cdr_sink_create_slots(const char* folder, const char* timezone,
                                            tandem_cdr_sink** out);
/* Makes the sums in `folder` anew of the records in the day files of `days`, in any zone, while no
   sink has them open; their number to *records, which may be NULL. All or nothing. Blocks. Errors
   as above. Since 0.1. */
TANDEM_API int tandem_cdr_slots_rebuild(const char* days, const char* folder, const char* timezone,
                                        uint64_t* records);
/* For a sink that is used alone: `record_id` must be set, and rise. Errors: those of the sink.
   Since 0.1. */
TANDEM_API int tandem_cdr_sink_write(tandem_cdr_sink* sink, const tandem_cdr* cdr);
TANDEM_API int tandem_cdr_sink_flush(tandem_cdr_sink* sink);    /* Since 0.1. */
TANDEM_API void tandem_cdr_sink_destroy(tandem_cdr_sink* sink); /* Since 0.1. */

/* Which records are wanted. NULL and 0 mean: any. */
typedef struct tandem_cdr_query {
  size_t struct_size;
  int64_t since_us;   /* inclusive, compared with `ended_at_us` */
  int64_t until_us;   /* exclusive */
  const char* caller; /* exact with any of the three views; a trailing '*' makes it a prefix */
  const char* callee;
  const char* reason; /* name of C-08 */
  uint64_t before_record_id;
  size_t limit;          /* 1..1,000,000; 0 means 100, of a cursor: all */
  const char* caller_in; /* that view alone, likewise */
  const char* caller_billing;
  const char* caller_out;
  const char* callee_in;
  const char* callee_billing;
  const char* callee_out;
  const char* account; /* of the customer */
  const char* vendor_account;
  const char* agent_account;
  const char* customer_gateway;
  const char* vendor_gateway; /* the last one tried */
  const char* call_id;
  const char* rate_prefix;
  int32_t sip_status;     /* 0: any */
  int32_t release_side;   /* 1 caller, 2 callee, 3 server */
  int32_t answered;       /* 1: answered calls, -1: the others */
  int32_t free_of_charge; /* 1: calls that cost the customer nothing, -1: the others */
  int64_t talk_min_ms;    /* inclusive */
  int64_t talk_max_ms;    /* inclusive */
  int32_t skip_archived;  /* 1: without the days that are archived, which are an error else */
} tandem_cdr_query;
#define TANDEM_CDR_QUERY_INIT                                                                   \
  {                                                                                             \
    sizeof(tandem_cdr_query), 0, 0, NULL, NULL, NULL, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL, \
        NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, 0, 0, 0, 0, 0                           \
  }

/* Records of the day files that a SQLite sink writes, newest first, a JSON object a line; beside a
   running switch or without one. Errors: INVALID_ARGUMENT, IO. Any thread; blocks. Since 0.1. */
TANDEM_API int tandem_cdr_store_query(const char* folder, const tandem_cdr_query* query,
                                      tandem_text** json_lines);

/* What one question to a folder may cost (C-13). Of each: 0 is the default, -1 any. */
typedef struct tandem_cdr_guards {
  size_t struct_size;
  int64_t days_max;    /* longest period; by default any */
  int64_t rows_max;    /* records that are read; by default 30,000,000 */
  int64_t time_max_ms; /* spent in reading; by default 30,000 */
} tandem_cdr_guards;
#define TANDEM_CDR_GUARDS_INIT \
  { sizeof(tandem_cdr_guards), 0, 0, 0 }

/* Records one after the other, newest first. Holds no lock between two calls. One thread at a
   time. */
typedef struct tandem_cdr_cursor tandem_cdr_cursor;
/* `guards`: NULL for the defaults. Errors: INVALID_ARGUMENT, IO, TIMEOUT. Since 0.1. */
TANDEM_API int tandem_cdr_store_cursor(const char* folder, const tandem_cdr_query* query,
                                       const tandem_cdr_guards* guards, tandem_cdr_cursor** out);
/* *out is the next record, which lives until the next call, or NULL when there are no more. Errors:
   IO, TIMEOUT, LIMIT (of the guards). Blocks. Since 0.1. */
TANDEM_API int tandem_cdr_cursor_next(tandem_cdr_cursor* cursor, const tandem_cdr** out);
TANDEM_API void tandem_cdr_cursor_destroy(tandem_cdr_cursor* cursor); /* Since 0.1. */

/* A report over records (docs/reports.md). */
typedef struct tandem_call_report_request {
  size_t struct_size;
  const char* name;               /* "customer-gateways" ...; required */
  const tandem_cdr_query* filter; /* NULL: all records; its limit is that of the rows of "calls",
                                     1..100,000 whatever the report, 0 means 100 */
  const char* by;                 /* "none", "5min", "hour", "day", "month"; NULL: the default */
  int32_t vendor_side;            /* 1: attempts at vendors instead of calls */
  const char* format;             /* "json", "csv", "table"; NULL: "json" */
  int64_t ghost_long_s;           /* rules of "ghost-calls"; 0 is the default of each */
  int64_t ghost_tiny_fee_units;   /* 1e-8 of the currency */
  int64_t ghost_calls_min;
  int64_t ghost_cluster_percent;
  int64_t ghost_same_duration_s;
  int64_t ghost_acd_factor;
  const char* timezone; /* of slots: "+05:30", "Europe/London"; NULL: UTC, of a configuration its
                           parameter "timezone" */
} tandem_call_report_request;
#define TANDEM_CALL_REPORT_REQUEST_INIT \
  { sizeof(tandem_call_report_request), NULL, NULL, NULL, 0, NULL, 0, 0, 0, 0, 0, 0, NULL }
/* Errors: INVALID_ARGUMENT, IO, TIMEOUT, LIMIT. Any thread; blocks. Since 0.1. */
TANDEM_API int tandem_cdr_store_call_report(const char* folder,
                                            const tandem_call_report_request* request,
                                            const tandem_cdr_guards* guards, tandem_text** text);

/* Plain SQL over the whole history (docs/sql.md): one SELECT about the table `cdrs`, whose answer
   has at most `rows_max` rows (0: 10,000); *is_cut (may be NULL) is 1 when there were more. It can
   do nothing but read. `database` (NULL: none): the main database of a switch, whose corrections
   the charges then have. `format`: "json" (an object a line), "csv" or "table"; NULL: "json".
   Errors: INVALID_ARGUMENT (the statement), IO, TIMEOUT, LIMIT, WRONG_STATE (a day is archived).
   Any thread; blocks. Since 0.1. */
TANDEM_API int tandem_cdr_store_sql(const char* folder, const char* database, const char* sql,
                                    const tandem_cdr_guards* guards, size_t rows_max,
                                    const char* format, tandem_text** text, int32_t* is_cut);
/* Makes the module "tandem_cdr" known to a connection of SQLite, for
     CREATE VIRTUAL TABLE temp.cdrs USING tandem_cdr('FOLDER', 'DATABASE');
   `connection`: a sqlite3*; `api`: the sqlite3_api_routines* of its copy of SQLite, or NULL when it
   is the library that tandem is linked with. Errors: INVALID_ARGUMENT, UNSUPPORTED (SQLite before
   3.26), IO. Thread: that of the connection. Since 0.1. */
TANDEM_API int tandem_cdr_module_register(void* connection, const void* api);
/* The same as SQLite calls an extension, for sqlite3_auto_extension() and for a file of the host's
   own that is loaded; tandem_cdr.so is one. Returns a code of SQLite; *message is for
   sqlite3_free(). Since 0.1. */
TANDEM_API int tandem_cdr_extension_init(void* connection, char** message, const void* api);

/* Columns of records as arrays, oldest record first. Never changes; any thread. */
typedef struct tandem_cdr_columns tandem_cdr_columns;
/* `columns`: names of the day files' columns (docs/cdr.md), money in units of 1e-8
   ("charge_units"). `query`: NULL for all records; its limit and before_record_id must be 0. The
   arrays take at most 1 GiB. Errors: INVALID_ARGUMENT, IO, TIMEOUT, LIMIT, WRONG_STATE. Any thread;
   blocks. Since 0.1. */
TANDEM_API int tandem_cdr_store_columns(const char* folder, const char* database,
                                        const tandem_cdr_query* query,
                                        const tandem_cdr_guards* guards, const char* const* columns,
                                        size_t count, tandem_cdr_columns** out);
TANDEM_API size_t tandem_cdr_columns_rows(const tandem_cdr_columns* columns); /* Since 0.1. */
/* *values has one for each row, 0 where there is none. What the next three give lives until
   tandem_cdr_columns_destroy(). Errors: NOT_FOUND (it was not asked for), INVALID_ARGUMENT (it is a
   column of the other kind). Since 0.1. */
TANDEM_API int tandem_cdr_columns_integers(const tandem_cdr_columns* columns, const char* name,
                                           const int64_t** values);
/* *codes has one for each row, a place below *texts, or -1 where there is none. */
TANDEM_API int tandem_cdr_columns_codes(const tandem_cdr_columns* columns, const char* name,
                                        const int32_t** codes, size_t* texts);
/* The text of a code; *bytes (may be NULL) is its length, as it may hold any byte. Errors also
   INVALID_ARGUMENT (no such code). */
TANDEM_API int tandem_cdr_columns_text(const tandem_cdr_columns* columns, const char* name,
                                       int32_t code, const char** text, size_t* bytes);
/* *nulls has a byte for each row, 1 where there is no value; NULL: each row has one. Errors:
   NOT_FOUND. */
TANDEM_API int tandem_cdr_columns_nulls(const tandem_cdr_columns* columns, const char* name,
                                        const uint8_t** nulls);
TANDEM_API void tandem_cdr_columns_destroy(tandem_cdr_columns* columns); /* Since 0.1. */

typedef struct tandem_cdr_journal tandem_cdr_journal;

typedef struct tandem_cdr_journal_config {
  size_t struct_size;
  const char* folder;         /* belongs to one process at a time; made when absent. Required. */
  uint64_t segment_bytes;     /* 64 KiB..1 GiB; 0 means 64 MiB */
  uint32_t queue_records;     /* waiting for the writer, 16..4,194,304; 0 means 65,536 */
  uint64_t backlog_bytes_max; /* memory held while the disk fails; 0 means 256 MiB */
  int32_t without_threads;    /* 1: the host calls tandem_cdr_journal_pump() */
  tandem_log_fn log;          /* NULL: no log */
  int32_t log_level;          /* TANDEM_LOG_*: the lowest that is wanted */
  void (*user_free)(void* user);
  void* user; /* of `log` */
} tandem_cdr_journal_config;
#define TANDEM_CDR_JOURNAL_CONFIG_INIT \
  { sizeof(tandem_cdr_journal_config), NULL, 0, 0, 0, 0, NULL, TANDEM_LOG_INFO, NULL, NULL }

typedef struct tandem_cdr_journal_counters {
  size_t struct_size;
  uint64_t appended;
  uint64_t refused; /* queue and backlog were full */
  uint64_t durable;
  uint64_t commits;
  uint64_t disk_failures;
  uint64_t waiting; /* in memory now */
  uint64_t segments;
  uint64_t segments_recycled;
} tandem_cdr_journal_counters;
#define TANDEM_CDR_JOURNAL_COUNTERS_INIT \
  { sizeof(tandem_cdr_journal_counters), 0, 0, 0, 0, 0, 0, 0, 0 }

/* A journal with sinks, for hosts that make records themselves: append() returns at once, the
   record survives a crash as soon as it is durable, each sink gets every record in order.
   append(), is_writable(), durable_id(), counters() and sinks(): any thread; the rest, and all
   without threads, one thread at a time. */

/* Errors: INVALID_ARGUMENT, IO, ALREADY_EXISTS (in use by another process), CORRUPT. Since 0.1. */
TANDEM_API int tandem_cdr_journal_open(const tandem_cdr_journal_config* config,
                                       tandem_cdr_journal** out);
/* Before start(). `name`: 1..64 of a-z 0-9 - _; it names the sink's place in the journal. Takes the
   sink. Errors: INVALID_ARGUMENT, ALREADY_EXISTS, WRONG_STATE, IO, CORRUPT. Since 0.1. */
TANDEM_API int tandem_cdr_journal_add_sink(tandem_cdr_journal* journal, const char* name,
                                           tandem_cdr_sink* sink);
/* The same for a sink that may refuse records for good: after `set_aside_after` refusals of one
   record with INVALID_ARGUMENT or ALREADY_EXISTS it goes, with the reason, into the file
   "<folder>/<name>.set-aside" and the sink gets the next ones; 0: never. Since 0.1. */
TANDEM_API int tandem_cdr_journal_add_strict_sink(tandem_cdr_journal* journal, const char* name,
                                                  tandem_cdr_sink* sink, uint32_t set_aside_after);
TANDEM_API int tandem_cdr_journal_start(tandem_cdr_journal* journal); /* Since 0.1. */
/* Takes a record and sets its id, which is written to *record_id (NULL: not wanted). Never blocks.
   Errors: LIMIT (full), INVALID_ARGUMENT. Since 0.1. */
TANDEM_API int tandem_cdr_journal_append(tandem_cdr_journal* journal, const tandem_cdr* cdr,
                                         uint64_t* record_id);
/* 0 while the disk fails or the queue is nearly full: take no new calls then. Since 0.1. */
TANDEM_API int tandem_cdr_journal_is_writable(const tandem_cdr_journal* journal);
/* Every record up to this one is on disk. Since 0.1. */
TANDEM_API uint64_t tandem_cdr_journal_durable_id(const tandem_cdr_journal* journal);
/* Errors: TIMEOUT. Since 0.1. */
TANDEM_API int tandem_cdr_journal_wait_durable(tandem_cdr_journal* journal, uint64_t record_id,
                                               int64_t timeout_ms);
/* Without threads: writes what waits and serves the sinks once. Since 0.1. */
TANDEM_API int tandem_cdr_journal_pump(tandem_cdr_journal* journal);
TANDEM_API int tandem_cdr_journal_read_counters(const tandem_cdr_journal* journal,
                                                tandem_cdr_journal_counters* out);
/* How far each sink is, a JSON array: name position lag_records lag_us failures is_failing
   last_error. Since 0.1. */
TANDEM_API int tandem_cdr_journal_sinks(const tandem_cdr_journal* journal, tandem_text** json);
/* Makes what waits durable and gives the sinks up to `drain_ms` to take it. Since 0.1. */
TANDEM_API int tandem_cdr_journal_close(tandem_cdr_journal* journal, int64_t drain_ms);
TANDEM_API void tandem_cdr_journal_destroy(tandem_cdr_journal* journal); /* Since 0.1. */
/* Reads every record of the journal in `folder` as a start would and tells what is there and what
   is damaged, as a JSON object (docs/cdr.md); changes nothing, also beside a running writer. *is_ok
   (NULL: not wanted): 1 when nothing is damaged. Errors: NOT_FOUND, IO. Since 0.1. */
TANDEM_API int tandem_check_journal(const char* folder, int32_t* is_ok, tandem_text** json);

/* ---- Media relay (M-01..M-03, M-18) --------------------------------------------------------- */

typedef struct tandem_media_relay tandem_media_relay;     /* any thread */
typedef struct tandem_media_session tandem_media_session; /* one thread at a time; may outlive its
                                                             relay, then it relays nothing */

enum { TANDEM_SIDE_CALLER = 0, TANDEM_SIDE_CALLEE = 1 };
enum { TANDEM_IPV4 = 4, TANDEM_IPV6 = 6 };

typedef struct tandem_media_config {
  size_t struct_size;
  const char* address;  /* IPv4 address of the media ports; NULL: no IPv4 media */
  const char* address6; /* IPv6 address of the media ports; NULL: no IPv6 media */
  uint16_t port_first;  /* 1024..65534; 0 means 10000 */
  uint16_t port_last;   /* 0 means 19999 */
  uint32_t shards;      /* relay threads, 1..64; 0 means 1 */
  uint32_t ready_pairs; /* port pairs bound ahead; 0 means 256 */
  int32_t rest_ms;      /* a closed port hears no new call for this long; 0 means 2000, -1 none */
  int32_t tos;          /* TOS byte of what is sent, 0..255 */
  int32_t reserved;     /* 0; here lay padding, whose content older programs leave open */
  int32_t nice;         /* of the relay threads, -20..-1, where the system allows it; 0 means -10,
                           1: that of the creator */
  uint32_t reserved2;   /* 0; never read, padding as `reserved` was */
  uint32_t events_max;  /* that may wait for tandem_media_relay_take_events(), for each shard, up to
                           1,048,576; 0: none are kept */
  uint32_t event_kinds; /* those that are kept, each as 1 << TANDEM_MEDIA_EVENT_*; 0: all */
  uint32_t files_reserved; /* that the program will want beside these, 0..1,000,000; second sockets
                              leave them */
  uint32_t reserved3;      /* 0; never read, padding as `reserved` was */
  int32_t backend;         /* TANDEM_MEDIA_BACKEND_* */
  uint32_t kernel_packets_per_s_max; /* of one direction, 50..1,000,000; 0 means 5,000, UINT32_MAX
                                        any number */
  /* Network interfaces that media comes in by, with commas between them, for the backend KERNEL;
     NULL: none */
  const char* kernel_interfaces;
  const char* kernel_folder;          /* on a bpf file system; NULL means "/sys/fs/bpf/tandem" */
  uint32_t kernel_adopted_silence_ms; /* after this a stream of a former process ends; 0 means
                                         60,000 */
  /* Bounds of the jitter buffer of audio that is converted by a codec that keeps state, up to
     1,000: 0 means 20 and 200; -1 of the greatest: nothing waits, -1 of the least: 0. */
  int32_t jitter_min_ms;
  int32_t jitter_max_ms;
  int32_t kernel_attach;        /* TANDEM_MEDIA_ATTACH_* */
  const char* dtls_certificate; /* file in PEM; NULL: the relay makes one of its own */
  const char* dtls_key;
} tandem_media_config;
#define TANDEM_MEDIA_CONFIG_INIT                                                                \
  {                                                                                             \
    sizeof(tandem_media_config), NULL, NULL, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, NULL, \
        NULL, 0, 0, 0, 0, NULL, NULL                                                            \
  }

/* Where the kernel hands packets to the program of the backend KERNEL. */
enum {
  TANDEM_MEDIA_ATTACH_AUTO = 0, /* the first of the others that all interfaces allow */
  TANDEM_MEDIA_ATTACH_XDP_NATIVE = 1,
  TANDEM_MEDIA_ATTACH_XDP_GENERIC = 2,
  TANDEM_MEDIA_ATTACH_TC = 3
};

/* What moves packets; docs/media.md. */
enum {
  TANDEM_MEDIA_BACKEND_AUTO = 0,     /* KERNEL where interfaces are named, else PORTABLE */
  TANDEM_MEDIA_BACKEND_PORTABLE = 1, /* UDP sockets and epoll; runs everywhere */
  TANDEM_MEDIA_BACKEND_FAST = 2,     /* user space below the sockets */
  TANDEM_MEDIA_BACKEND_KERNEL = 3    /* packets of plain streams never leave the kernel */
};
/* "auto", "portable", ...; "" of unknown numbers. Static. Since 0.1. */
TANDEM_API const char* tandem_media_backend_name(int32_t backend);

/* Flags of a side: how the relay treats what it sends. 0: symmetric RTP. */
enum {
  TANDEM_MEDIA_STRICT_SOURCE = 1,    /* from the signalled IP address only */
  TANDEM_MEDIA_PREFER_SIGNALLED = 2, /* to the signalled address unless it is private */
  TANDEM_MEDIA_TRANSPARENT = 4,      /* not RTP: pass every datagram */
  TANDEM_MEDIA_DISCARD = 8           /* count but do not pass on */
};

typedef struct tandem_media_relay_stats {
  size_t struct_size;
  uint64_t sessions; /* open now */
  uint64_t sessions_refused;
  uint64_t port_pairs_bound; /* now */
  uint64_t ports_busy;
  uint64_t packets_forwarded;
  uint64_t packets_refused;
  uint64_t packets_malformed;
  uint64_t packets_stray;
  uint64_t packets_undeliverable;
  uint64_t packets_discarded;
  uint64_t send_failures;
  uint64_t marks_refused;
  uint64_t priorities_refused;    /* threads that the system refused `nice` */
  uint64_t packets_overflowed;    /* found no room in the receive buffer of their port */
  uint64_t ports_connected;       /* now, with a second socket, for a stream that lasts */
  uint64_t events_lost;           /* found no room among `events_max` */
  uint64_t taps_dropped;          /* packets that no tap had room for */
  uint64_t digits;                /* keys pressed (RFC 4733) */
  uint64_t packets_not_authentic; /* SRTP, SRTCP that the key of their side did not fit */
  uint64_t packets_not_sealed;    /* not encrypted and so not sent: repeated or too late */
  uint64_t streams_in_kernel;     /* now: directions of calls that the kernel passes on itself */
  uint64_t packets_in_kernel;     /* of packets_forwarded: those that it passed on */
  uint64_t packets_policed;       /* above kernel_packets_per_s_max; dropped */
  uint64_t sessions_adopted;      /* that were found running when the relay began */
  uint64_t sessions_unclaimed;    /* now: of them, those that nobody took back over */
  uint64_t handshakes_agreed;     /* DTLS-SRTP */
  uint64_t handshakes_failed;
} tandem_media_relay_stats;
#define TANDEM_MEDIA_RELAY_STATS_INIT                                                             \
  {                                                                                               \
    sizeof(tandem_media_relay_stats), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, \
        0, 0, 0, 0, 0, 0, 0                                                                       \
  }

enum {
  TANDEM_MEDIA_EVENT_FIRST_PACKET = 0,   /* `source` is latched from now on */
  TANDEM_MEDIA_EVENT_SOURCE_CHANGED = 1, /* packets come from `source` now */
  TANDEM_MEDIA_EVENT_SOURCE_REFUSED = 2, /* `source` may not speak; at most one a second */
  TANDEM_MEDIA_EVENT_SILENCE_BEGAN = 3,
  TANDEM_MEDIA_EVENT_SILENCE_ENDED = 4,
  TANDEM_MEDIA_EVENT_LOSS_BEGAN = 5,
  TANDEM_MEDIA_EVENT_LOSS_ENDED = 6,
  TANDEM_MEDIA_EVENT_DIGIT = 7,          /* a key was let go (RFC 4733) */
  TANDEM_MEDIA_EVENT_HANDSHAKE_ENDED = 8 /* DTLS-SRTP was agreed on, or failed */
};
enum {
  TANDEM_MEDIA_REFUSAL_NONE = 0,
  TANDEM_MEDIA_REFUSAL_LATCHED = 1,  /* another source speaks for the side */
  TANDEM_MEDIA_REFUSAL_STRICT = 2,   /* not the signalled IP address */
  TANDEM_MEDIA_REFUSAL_DENIED = 3,   /* tandem_media_session_set_sources() */
  TANDEM_MEDIA_REFUSAL_UNCHECKED = 4 /* no authentic check of ICE came from it */
};

/* Something that the relay saw on one side of a session. */
typedef struct tandem_media_event {
  size_t struct_size;
  int32_t kind;  /* TANDEM_MEDIA_EVENT_*; later versions may send others */
  int32_t side;  /* TANDEM_SIDE_* */
  uint64_t tag;  /* tandem_media_session_set_tag() */
  int64_t at_us; /* monotonic */
  tandem_address source;
  int32_t refusal;        /* TANDEM_MEDIA_REFUSAL_* */
  uint32_t refused;       /* packets since the last such event */
  int32_t digit;          /* '0'..'9', '*', '#', 'A'..'D'; '!' is a flash; 0: none */
  uint32_t duration_ms;   /* of the key */
  int32_t is_end_lost;    /* no packet said that the key was let go */
  uint32_t silence_ms;    /* so far, or in all */
  uint32_t loss_permille; /* of the last window */
  int32_t handshake;      /* handshake_ended: TANDEM_HANDSHAKE_* */
} tandem_media_event;

/* *event ends with the call. The thread of tandem_media_relay_take_events(). */
typedef void (*tandem_media_event_fn)(const tandem_media_event* event, void* user);

/* Binds ports and starts threads. Errors: INVALID_ARGUMENT, IO, LIMIT. Since 0.1. */
TANDEM_API int tandem_media_relay_create(const tandem_media_config* config,
                                         tandem_media_relay** out);
TANDEM_API int tandem_media_relay_read_stats(const tandem_media_relay* relay,
                                             tandem_media_relay_stats* out);
/* Whether `backend` carries the packets of the relay, whether it could be used here, and how it
   runs or in one line why it cannot. Each out may be NULL. Errors: INVALID_ARGUMENT. Since 0.1. */
TANDEM_API int tandem_media_relay_backend(const tandem_media_relay* relay, int32_t backend,
                                          int32_t* is_running, int32_t* is_usable,
                                          tandem_text** detail);
/* Takes a session over that the kernel went on relaying after the process that opened it died, by
   its RTP ports towards caller and callee. Errors: NOT_FOUND. Since 0.1. */
TANDEM_API int tandem_media_relay_adopt(tandem_media_relay* relay, const char* caller_rtp,
                                        const char* callee_rtp, tandem_media_session** out);
/* Ends the relaying of all sessions. Since 0.1. */
TANDEM_API void tandem_media_relay_destroy(tandem_media_relay* relay);

/* Hands up to `events_max` events to `function`, of each session in their order; waits up to
   `wait_us` for the first one, 0..60,000,000. `function` may call tandem, but not destroy the
   relay. Errors: INVALID_ARGUMENT. Any thread, one at a time is served. Since 0.1. */
TANDEM_API int tandem_media_relay_take_events(tandem_media_relay* relay, size_t events_max,
                                              int64_t wait_us, tandem_media_event_fn function,
                                              void* user);

/* A session with ports towards each side. `caller`, `callee`: TANDEM_IPV4 or TANDEM_IPV6. Errors:
   INVALID_ARGUMENT, UNSUPPORTED (no address of that family), LIMIT (all ports are in use).
   Since 0.1. */
TANDEM_API int tandem_media_session_open(tandem_media_relay* relay, int32_t caller, int32_t callee,
                                         tandem_media_session** out);
/* The address to put into the SDP that `side` gets, RTP and RTCP (NULL: not wanted). Since 0.1. */
TANDEM_API int tandem_media_session_local(const tandem_media_session* session, int32_t side,
                                          tandem_address* rtp, tandem_address* rtcp);
/* Where the SDP of `side` wants its media, "IP:PORT". `rtcp` NULL: the port after `rtp`; equal to
   `rtp`: both on one port. Port 0 forgets it. Errors: INVALID_ARGUMENT. Since 0.1. */
TANDEM_API int tandem_media_session_set_remote(tandem_media_session* session, int32_t side,
                                               const char* rtp, const char* rtcp);
/* `flags`: TANDEM_MEDIA_* or-ed. Since 0.1. */
TANDEM_API int tandem_media_session_set_flags(tandem_media_session* session, int32_t side,
                                              uint32_t flags);
/* Whether packets of `side` go on (TANDEM_MEDIA_FORWARD) or end here, from the next one on. Errors:
   INVALID_ARGUMENT. Since 0.1. */
enum { TANDEM_MEDIA_FORWARD = 0, TANDEM_MEDIA_BLOCK = 1 };
TANDEM_API int tandem_media_session_set_policy(tandem_media_session* session, int32_t side,
                                               int32_t policy);
/* What the events of this session say. Since 0.1. */
TANDEM_API int tandem_media_session_set_tag(tandem_media_session* session, uint64_t tag);
/* Payload types that `side` may send (none: any), and those that are keys (RFC 4733), 0..127 each.
   Errors: INVALID_ARGUMENT. Since 0.1. */
TANDEM_API int tandem_media_session_set_payloads(tandem_media_session* session, int32_t side,
                                                 const uint8_t* negotiated, size_t negotiated_count,
                                                 const uint8_t* keys, size_t keys_count);
/* Clock by which keys of one of these types count how long they last, 1..1,000,000 Hz, where it is
   not that of the side's audio. set_payloads() forgets it. Errors: INVALID_ARGUMENT, LIMIT (4 of
   one side). Since 0.1. */
TANDEM_API int tandem_media_session_set_event_clock_rate(tandem_media_session* session,
                                                         int32_t side, int32_t payload_type,
                                                         uint32_t rate_hz);
/* Silence of `silence_ms` (100..3,600,000; 0: nobody asks) and losses above `loss_permille`
   (1..999; 0: nobody asks) of `loss_window_ms` (1,000..600,000; 0 means 10,000) become events.
   Errors: INVALID_ARGUMENT, WRONG_STATE (the relay keeps no events). Since 0.1. */
TANDEM_API int tandem_media_session_set_watch(tandem_media_session* session, int32_t side,
                                              uint32_t silence_ms, uint32_t loss_permille,
                                              uint32_t loss_window_ms);
/* Networks, "IP" or "IP/LENGTH", that may be latched for `side` from now on: those of `allow`
   (none: all) but for those of `deny`. Errors: INVALID_ARGUMENT, LIMIT (4,096 of each). Since 0.1.
 */
TANDEM_API int tandem_media_session_set_sources(tandem_media_session* session, int32_t side,
                                                const char* const* allow, size_t allow_count,
                                                const char* const* deny, size_t deny_count);

/* How media is encrypted (SRTP, RFC 3711), with the names that descriptions have (RFC 4568). */
enum {
  TANDEM_SRTP_NONE = 0,
  TANDEM_SRTP_AES_CM_128_HMAC_SHA1_80 = 1,
  TANDEM_SRTP_AES_CM_128_HMAC_SHA1_32 = 2,
  TANDEM_SRTP_AES_256_CM_HMAC_SHA1_80 = 3,
  TANDEM_SRTP_AES_256_CM_HMAC_SHA1_32 = 4,
  TANDEM_SRTP_AEAD_AES_128_GCM = 5,
  TANDEM_SRTP_AEAD_AES_256_GCM = 6
};
/* "AES_CM_128_HMAC_SHA1_80"; "" of NONE and of unknown numbers. Static. Since 0.1. */
TANDEM_API const char* tandem_srtp_suite_name(int32_t suite);
/* Bytes of master key and salt together; 0 of NONE and of unknown numbers. Since 0.1. */
TANDEM_API size_t tandem_srtp_key_bytes(int32_t suite);
/* Encrypts what goes to `side` and takes the encryption from what it sends, from the next packet
   on; both suites NONE: plain RTP. A key is master key and behind it the master salt, and is
   copied; one that was set before keeps its counters. Errors: INVALID_ARGUMENT (a key of the wrong
   length, one suite alone), INTERNAL (the cipher was refused). Since 0.1. */
TANDEM_API int tandem_media_session_set_crypto(tandem_media_session* session, int32_t side,
                                               int32_t receive_suite, const void* receive_key,
                                               size_t receive_key_bytes, int32_t send_suite,
                                               const void* send_key, size_t send_key_bytes);

/* What is agreed on with one side in its media ports before its media: who may speak (ICE, RFC
   8445) and with which keys (DTLS-SRTP, RFC 5763). */
enum { TANDEM_DTLS_NONE = 0, TANDEM_DTLS_SERVER = 1, TANDEM_DTLS_CLIENT = 2 };
enum {
  TANDEM_HANDSHAKE_NONE = 0,
  TANDEM_HANDSHAKE_UNCHECKED = 1, /* no authentic check of ICE came yet */
  TANDEM_HANDSHAKE_SHAKING = 2,
  TANDEM_HANDSHAKE_AGREED = 3, /* media passes */
  TANDEM_HANDSHAKE_DTLS_FAILED = 4,
  TANDEM_HANDSHAKE_FINGERPRINT_MISMATCH = 5
};
/* "agreed"; "" of unknown numbers. Static. Since 0.1. */
TANDEM_API const char* tandem_media_handshake_state_name(int32_t state);
typedef struct tandem_media_handshake {
  size_t struct_size;
  int32_t role;                 /* the relay's, TANDEM_DTLS_* */
  int32_t is_rtcp_separate;     /* 1: RTCP is not on the port of RTP, so none passes */
  const char* fingerprints;     /* of which the peer's certificate must be one, "sha-256 4A:AD:...",
                                   1..8 with line feeds between; NULL without DTLS */
  const char* ice_ufrag;        /* ours, 4..256 characters; NULL: no ICE */
  const char* ice_password;     /* 22..256 */
  const char* remote_ice_ufrag; /* NULL: not looked at */
} tandem_media_handshake;
#define TANDEM_MEDIA_HANDSHAKE_INIT \
  { sizeof(tandem_media_handshake), 0, 0, NULL, NULL, NULL, NULL }
/* From the next packet on; NULL: there is none any more. Until it is agreed on nothing passes.
   Errors: INVALID_ARGUMENT, UNSUPPORTED (a hash that is not known), LIMIT (1,024 under way on one
   shard), INTERNAL. Since 0.1. */
TANDEM_API int tandem_media_session_set_handshake(tandem_media_session* session, int32_t side,
                                                  const tandem_media_handshake* handshake);
/* TANDEM_HANDSHAKE_*. Since 0.1. */
TANDEM_API int tandem_media_session_handshake(const tandem_media_session* session, int32_t side,
                                              int32_t* state);
/* Of the certificate that the relay shows, for descriptions: "sha-256 4A:AD:...". Errors: INTERNAL.
   Since 0.1. */
TANDEM_API int tandem_media_relay_dtls_fingerprint(tandem_media_relay* relay,
                                                   tandem_text** fingerprint);

typedef struct tandem_media_tap
    tandem_media_tap; /* one thread at a time; may outlive its session */
/* Copies what both sides send into `buffer_bytes` (4,096..16 Mi; 0 means 65,536); what finds no
   room is dropped and counted. Errors: ALREADY_EXISTS (one tap a session), INVALID_ARGUMENT. Since
   0.1. */
TANDEM_API int tandem_media_tap_create(tandem_media_session* session, size_t buffer_bytes,
                                       tandem_media_tap** out);
/* The next packet, header and all, into `buffer` of `capacity` bytes (2,048 hold every one).
   Errors: NOT_FOUND (none waits), TOO_SMALL (it is lost; *size says what it takes). Since 0.1. */
TANDEM_API int tandem_media_tap_take(tandem_media_tap* tap, int32_t* side, int64_t* at_us,
                                     void* buffer, size_t capacity, size_t* size);
TANDEM_API uint64_t tandem_media_tap_dropped(const tandem_media_tap* tap); /* NULL: 0. Since 0.1. */
/* Ends the copying. NULL: no-op. Since 0.1. */
TANDEM_API void tandem_media_tap_destroy(tandem_media_tap* tap);

/* RTP clock of what `side` sends, 1..1,000,000 Hz; default 8,000. Since 0.1. */
TANDEM_API int tandem_media_session_set_clock_rate(tandem_media_session* session, int32_t side,
                                                   uint32_t rate_hz);
/* Lets the next new source of `side` take over within `window_ms`, 1..60,000; 0 ends such a time.
   Since 0.1. */
TANDEM_API int tandem_media_session_relatch(tandem_media_session* session, int32_t side,
                                            uint32_t window_ms);
TANDEM_API int tandem_media_session_stats(const tandem_media_session* session, int32_t side,
                                          tandem_media_side_stats* out);
/* Monotonic time of the last RTP packet of `side`; 0: none yet. Since 0.1. */
TANDEM_API int tandem_media_session_last_rtp(const tandem_media_session* session, int32_t side,
                                             int64_t* monotonic_us);
/* Packets that `side` reported missing. Errors: NOT_FOUND (no report came). Since 0.1. */
TANDEM_API int tandem_media_session_reported_lost(const tandem_media_session* session, int32_t side,
                                                  uint64_t* packets);
TANDEM_API void tandem_media_session_destroy(tandem_media_session* session); /* Since 0.1. */

/* ---- Audio that is more than passed on (M-07, M-09, M-10, M-12 .. M-14) -----------------------
 */

/* A codec that every switch and relay of the process can convert from and to, beside PCMA and PCMU.
   Samples are of 16 bits and one channel at sample_rate_hz. decode, conceal and encode run on a
   relay thread, one stream at a time on one thread; they must not block or allocate. */
typedef struct tandem_audio_codec {
  size_t struct_size;
  const char* name;       /* as it is registered, "G722"; copied */
  uint32_t clock_rate_hz; /* of its RTP, a multiple of 8,000 up to 48,000; 0 means 8,000 */
  uint32_t channels;      /* as a=rtpmap has it, 1..2; 0 means 1 */
  int32_t payload_type;   /* static type of RFC 3551, 0..95; -1: a dynamic one */
  uint32_t frame_ms;      /* packets hold a multiple of it, 1..60; 0 means 1 */
  const char* fmtp;       /* value of a=fmtp; NULL: none; copied */
  /* State of one stream and one way; NULL is none, and then the stream stays silent. NULL function:
     `state` is `user`. Any thread. */
  void* (*state_create)(void* user);
  void (*state_free)(void* state); /* NULL: nothing to free. Any thread. */
  /* Writes at most `capacity` samples and gives their number; 0: it could not be decoded. */
  size_t (*decode)(void* state, const uint8_t* payload, size_t size, int16_t* samples,
                   size_t capacity); /* required */
  /* Writes at most `capacity` bytes and gives their number; 0: no packet. */
  size_t (*encode)(void* state, const int16_t* samples, size_t count, uint8_t* payload,
                   size_t capacity); /* required */
  void* user;              /* handed to state_create, never read; lives as long as the process */
  uint32_t sample_rate_hz; /* of its samples: 8,000, 16,000 or 48,000; 0 means 8,000 */
  int32_t keeps_state;     /* not 0: packets are put in order for it (jitter_max_ms) */
  /* Fills all `count` samples in the place of a packet that did not come and gives their number, or
     0. `next` is the packet behind it, whose codec may have in it what was lost; NULL: not there
     yet. NULL function: it cannot, and the listener finds a packet missing. */
  size_t (*conceal)(void* state, const uint8_t* next, size_t next_size, int16_t* samples,
                    size_t count);
} tandem_audio_codec;
#define TANDEM_AUDIO_CODEC_INIT \
  { sizeof(tandem_audio_codec), NULL, 0, 0, -1, 0, NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, NULL }
/* Stays until the process ends. Errors: INVALID_ARGUMENT, ALREADY_EXISTS, LIMIT (32 codecs). Any
   thread. Since 0.1. */
TANDEM_API int tandem_audio_codec_add(const tandem_audio_codec* codec);
/* The codecs that are known, "PCMA/8000,PCMU/8000,G722/8000,opus/48000": the first two always, the
   next as far as the library was built with them, then those that were added. Errors: LIMIT.
   Any thread. Since 0.1. */
TANDEM_API int tandem_audio_codec_names(tandem_text** names);

enum {
  TANDEM_MEDIA_KEYS_EVENTS = 0, /* telephone events (RFC 4733) */
  TANDEM_MEDIA_KEYS_TONES = 1,  /* tones in the voice */
  TANDEM_MEDIA_KEYS_NONE = 2    /* not in the media: the host passes them on */
};

/* How the audio that one side sends and gets is written. */
typedef struct tandem_media_audio {
  size_t struct_size;
  const char* codec;             /* "PCMA"; NULL: nothing is converted */
  uint32_t clock_rate_hz;        /* 0: any */
  uint32_t payload_type;         /* of the codec, 0..127 */
  int32_t events_type;           /* of telephone events, 0..127; -1: none */
  uint32_t ptime_ms;             /* packets for it, 10..120; 0: as long as they come */
  int32_t keys;                  /* TANDEM_MEDIA_KEYS_ */
  int32_t hears_tones;           /* tones in what it sends are keys */
  const char* fmtp;              /* what it said in a=fmtp of the codec; NULL: nothing */
  uint32_t events_clock_rate_hz; /* in which events last, a multiple of 8000 up to 48000; 0: 8000 */
  uint32_t reserved;             /* 0 */
} tandem_media_audio;
#define TANDEM_MEDIA_AUDIO_INIT \
  { sizeof(tandem_media_audio), NULL, 0, 0, -1, 0, 0, 0, NULL, 0, 0 }
/* From the next packet on; what is encrypted must end here (set_crypto). Errors: INVALID_ARGUMENT,
   NOT_FOUND (a codec that is not known). Since 0.1. */
TANDEM_API int tandem_media_session_set_audio(tandem_media_session* session,
                                              const tandem_media_audio* caller,
                                              const tandem_media_audio* callee);
TANDEM_API int tandem_media_session_clear_audio(tandem_media_session* session); /* Since 0.1. */
/* What the sides say, decoded where it is taken: packets in the order in which they came, without a
   jitter buffer. One thread at a time; may outlive its session. */
typedef struct tandem_audio_tap tandem_audio_tap;
typedef struct tandem_tapped_audio {
  size_t struct_size;
  int32_t side;  /* TANDEM_SIDE_* */
  int64_t at_us; /* monotonic */
  uint32_t ssrc, timestamp, sequence;
  uint32_t rate_hz;       /* of the samples: 8,000, 16,000 or 48,000 */
  const int16_t* samples; /* one channel; until the next take */
  size_t samples_count;
} tandem_tapped_audio;
#define TANDEM_TAPPED_AUDIO_INIT \
  { sizeof(tandem_tapped_audio), 0, 0, 0, 0, 0, 0, NULL, 0 }
/* Each side by its codec and payload type; one without a codec is not heard. It is the tap of the
   session. `buffer_bytes` as of tandem_media_tap_create(). Errors: INVALID_ARGUMENT, NOT_FOUND (a
   codec that is not known), ALREADY_EXISTS. Since 0.1. */
TANDEM_API int tandem_audio_tap_create(tandem_media_session* session,
                                       const tandem_media_audio* caller,
                                       const tandem_media_audio* callee, size_t buffer_bytes,
                                       tandem_audio_tap** out);
/* The next packet that can be decoded. Errors: NOT_FOUND (none waits). Since 0.1. */
TANDEM_API int tandem_audio_tap_take(tandem_audio_tap* tap, tandem_tapped_audio* out);
/* Packets of other payload types, or that could not be decoded; and those that found no room. NULL:
   0. Since 0.1. */
TANDEM_API uint64_t tandem_audio_tap_skipped(const tandem_audio_tap* tap);
TANDEM_API uint64_t tandem_audio_tap_dropped(const tandem_audio_tap* tap);
/* Ends the copying. NULL: no-op. Since 0.1. */
TANDEM_API void tandem_audio_tap_destroy(tandem_audio_tap* tap);
/* Plays a WAV file (one channel, 8,000 Hz, at most two minutes) or "tone:ringback/us" to a side;
   reads the file at once, so not for a loop. `until_heard`: the first packet of the other side ends
   it, else it covers them. Errors: WRONG_STATE (without set_audio), UNSUPPORTED (no codec was said
   of the side), IO, INVALID_ARGUMENT, NOT_FOUND, LIMIT. Since 0.1. */
TANDEM_API int tandem_media_session_play(tandem_media_session* session, int32_t side,
                                         const char* source, int32_t repeats, int32_t until_heard);
/* The same of 1..64 sounds, one after the other, two minutes together. Errors: those, and
   INVALID_ARGUMENT (none). Since 0.1. */
TANDEM_API int tandem_media_session_play_list(tandem_media_session* session, int32_t side,
                                              const char* const* sources, size_t source_count,
                                              int32_t repeats, int32_t until_heard);
TANDEM_API int tandem_media_session_stop_playing(tandem_media_session* session,
                                                 int32_t side); /* Since 0.1. */
/* The sound files that say a number in a language, one a line, in their order: what play_list()
   takes. `grammar`: "en", "es", "zh", or the path of a file with a '/' in it. `section`: "number",
   "remaining_time" (of seconds), "remaining_amount" (of hundredths of the currency) or another one
   of the grammar. `currency`: "USD"; NULL: none. `folder`: that of a voice, whose paths are given,
   so this reads the disk; NULL: names as the grammar has them. Errors: NOT_FOUND (the grammar, the
   section or a rule for the number), IO (names the file that is missing), INVALID_ARGUMENT (names
   the line of the file), LIMIT. Any thread. Since 0.1. */
TANDEM_API int tandem_spoken_phrase(const char* grammar, const char* section, uint64_t value,
                                    const char* currency, const char* folder, tandem_text** out);
/* The same of "remaining_amount": an amount in the units of tandem_amount_parse(), rounded down to
   hundredths; below 0 it is nothing. `currency` is required. Errors: those. Since 0.1. */
TANDEM_API int tandem_spoken_amount(const char* grammar, int64_t units, const char* currency,
                                    const char* folder, tandem_text** out);
/* Sends a key, '0'..'9', '*', '#', 'A'..'D', as set_audio says of the side. Errors: WRONG_STATE (no
   way, or 16 wait). Since 0.1. */
TANDEM_API int tandem_media_session_press_key(tandem_media_session* session, int32_t side, char key,
                                              uint32_t duration_ms);

/* ---- Recording (M-15) ----------------------------------------------------------------------- */

typedef struct tandem_media_recorder tandem_media_recorder;   /* any thread */
typedef struct tandem_media_recording tandem_media_recording; /* one thread at a time; may outlive
                                                                 its recorder */

typedef struct tandem_recorder_config {
  size_t struct_size;
  const char* folder;      /* required; made when it is not there, its parent must be */
  uint64_t file_bytes_max; /* 64 Ki..4 Gi less 64 Ki; 0 means 512 Mi */
  int64_t
      free_bytes_min; /* nothing is recorded while less is free; 0 means 1 Gi, -1 never looked */
  uint32_t recordings_max; /* at once, 1..100,000; 0 means 1,000 */
  uint32_t buffer_bytes;   /* of each, 4,096..16 Mi; 0 means 65,536 */
} tandem_recorder_config;
#define TANDEM_RECORDER_CONFIG_INIT \
  { sizeof(tandem_recorder_config), NULL, 0, 0, 0, 0 }

/* Writes stereo WAV files on a thread of its own. Errors: INVALID_ARGUMENT, IO, NOT_FOUND (of the
   folder's parent). Since 0.1. */
TANDEM_API int tandem_media_recorder_create(const tandem_recorder_config* config,
                                            tandem_media_recorder** out);
/* Completes the files of all recordings. NULL: no-op. Since 0.1. */
TANDEM_API void tandem_media_recorder_destroy(tandem_media_recorder* recorder);
/* Records `session` into the file `name`, without ".wav", below the folder. *out may be NULL: it is
   recorded until its end. Errors: INVALID_ARGUMENT, ALREADY_EXISTS (it is tapped), LIMIT. Since
   0.1.
 */
TANDEM_API int tandem_media_recorder_record(tandem_media_recorder* recorder,
                                            tandem_media_session* session, const char* name,
                                            tandem_media_recording** out);
/* Ends it; what waits is still written. Since 0.1. */
TANDEM_API int tandem_media_recording_stop(tandem_media_recording* recording);
/* What packets of `side` of that type are, 0..127, as its descriptions say, from the writer's next
   turn on. `codec` NULL: they are not decoded; `clock_rate_hz` 0: any. Types that codecs have by
   RFC 3551 need not be set. Errors: INVALID_ARGUMENT, NOT_FOUND (a codec that is not known). Since
   0.1. */
TANDEM_API int tandem_media_recording_set_payload(tandem_media_recording* recording, int32_t side,
                                                  int32_t payload_type, const char* codec,
                                                  uint32_t clock_rate_hz);
/* The file below the folder; "" until there is audio for it. *is_over (NULL: not wanted): 1 when it
   is complete, or there will be none. Since 0.1. */
TANDEM_API int tandem_media_recording_file(const tandem_media_recording* recording,
                                           int32_t* is_over, tandem_text** file);
/* The recording goes on. NULL: no-op. Since 0.1. */
TANDEM_API void tandem_media_recording_destroy(tandem_media_recording* recording);
/* Makes the header of a recording right whose writer died. *is_changed (NULL: not wanted). Errors:
   NOT_FOUND, IO, CORRUPT (no recording). Since 0.1. */
TANDEM_API int tandem_repair_recording(const char* path, int32_t* is_changed);

/* ---- Configuration -------------------------------------------------------------------------- */

/* A configuration that was read, right or wrong. Immutable; any thread, any number. */
typedef struct tandem_config tandem_config;

/* Reads the JSON text of a configuration (comments allowed); docs/configuration.md names every key.
   Relative paths start from `folder` (NULL: "."). TANDEM_OK also when the text is wrong: ask
   tandem_config_error_count(). Blocks: deck files and host names are read. Since 0.1. */
TANDEM_API int tandem_config_read_json(const char* json, const char* folder, tandem_config** out);
/* Reads a file; relative paths start from its folder. Since 0.1. */
TANDEM_API int tandem_config_read_file(const char* path, tandem_config** out);
/* Errors found, all of them; 0: the configuration can be used. Since 0.1. */
TANDEM_API size_t tandem_config_error_count(const tandem_config* config);
/* JSON pointer and message of one; they live as long as the config. Either result may be NULL.
   Errors: NOT_FOUND (index). Since 0.1. */
TANDEM_API int tandem_config_error(const tandem_config* config, size_t index, const char** pointer,
                                   const char** message);
/* What a configuration without errors leaves open, guards that let vendors without a rate pass
   among it; nothing keeps it from being used. Likewise. Since 0.1. */
TANDEM_API size_t tandem_config_warning_count(const tandem_config* config);
TANDEM_API int tandem_config_warning(const tandem_config* config, size_t index,
                                     const char** pointer, const char** message);
/* Adds a warning for each name of a gateway that stands for no address now, by asking the name
   servers; blocks for as long as they take, at most 10 seconds. Errors: INVALID_ARGUMENT (the
   configuration has errors). Since 0.1. */
TANDEM_API int tandem_config_ask_names(tandem_config* config);
TANDEM_API void tandem_config_destroy(tandem_config* config); /* Since 0.1. */
/* The configuration reference as Markdown. Since 0.1. */
TANDEM_API int tandem_config_reference(tandem_text** markdown);

/* What would become of a call, and why. */
typedef struct tandem_explain_request {
  size_t struct_size;
  const char* from; /* customer gateway id, "IP" or "IP:PORT" */
  const char* caller;
  const char* callee;
  int64_t at_us; /* 0: now */
  /* What a look-up of the callee would give; "": not ported. NULL: what the cache of a running
     switch has; no resolver is asked. */
  const char* lrn;
  const char* callee_region; /* with `lrn`; NULL: unknown */
  const char* caller_region; /* the same of the caller; NULL: what the cache has */
  const char* forwarder;     /* a number that sent the call on, believed; NULL: nobody */
} tandem_explain_request;
#define TANDEM_EXPLAIN_REQUEST_INIT \
  { sizeof(tandem_explain_request), NULL, NULL, NULL, 0, NULL, NULL, NULL, NULL }

/* The three that need no running switch. A config with errors is INVALID_ARGUMENT. */

/* Stages, candidates and exclusions of a call as JSON. Errors: INVALID_ARGUMENT. Since 0.1. */
TANDEM_API int tandem_config_explain(const tandem_config* config,
                                     const tandem_explain_request* request, tandem_text** json);
/* The JSON of tandem_config_explain() or tandem_switch_explain() as a table for people. Errors:
   INVALID_ARGUMENT (it is none). Since 0.1. */
TANDEM_API int tandem_explain_table(const char* json, tandem_text** table);
/* Rates `seconds` to `callee` against a deck of the configuration: JSON. `at_us` 0: now. Errors:
   NOT_FOUND (no rate), INVALID_ARGUMENT (unknown deck, bad number). Since 0.1. */
TANDEM_API int tandem_config_rate(const tandem_config* config, const char* deck, const char* callee,
                                  int64_t seconds, int64_t at_us, tandem_text** json);
/* Records of the configured SQLite sinks, newest first, a JSON object a line. Errors:
   INVALID_ARGUMENT, IO. Since 0.1. */
TANDEM_API int tandem_config_query_cdrs(const tandem_config* config, const tandem_cdr_query* query,
                                        tandem_text** json_lines);
/* The same as a cursor, and a report over the same records; the guards are the parameters'. Errors
   also UNSUPPORTED (no SQLite sink), WRONG_STATE (no questions at this hour). Since 0.1. */
TANDEM_API int tandem_config_cdr_cursor(const tandem_config* config, const tandem_cdr_query* query,
                                        tandem_cdr_cursor** out);
TANDEM_API int tandem_config_call_report(const tandem_config* config,
                                         const tandem_call_report_request* request,
                                         tandem_text** text);

/* As tandem_cdr_store_sql() and tandem_cdr_store_columns(), of the configured SQLite sink, within
   the guards of the parameters. Errors also UNSUPPORTED, WRONG_STATE as above. Since 0.1. */
TANDEM_API int tandem_config_cdr_sql(const tandem_config* config, const char* sql, size_t rows_max,
                                     const char* format, tandem_text** text, int32_t* is_cut);
TANDEM_API int tandem_config_cdr_columns(const tandem_config* config, const tandem_cdr_query* query,
                                         const char* const* columns, size_t count,
                                         tandem_cdr_columns** out);

/* ---- The switch ----------------------------------------------------------------------------- */

typedef struct tandem_switch tandem_switch; /* any thread, any number in a process */

enum {
  TANDEM_EVENT_CALL_STARTED = 0,
  TANDEM_EVENT_CALL_RINGING = 1,
  TANDEM_EVENT_CALL_ANSWERED = 2,
  TANDEM_EVENT_CALL_ENDED = 3,
  TANDEM_EVENT_ALARM = 4,
  TANDEM_EVENT_RELOADED = 5,
  /* an address of a vendor stopped or began to answer, or a gateway registered or is not
     registered any more; see `json` */
  TANDEM_EVENT_GATEWAY = 6,
  TANDEM_EVENT_PHONE = 7,      /* a phone registered, or is not registered any more; see `json` */
  TANDEM_EVENT_CALL_DIGIT = 8, /* a party of an answered call pressed a key; see `json` */
  TANDEM_EVENT_TRACE = 9,      /* a call trace began or ended; see `json` */
  TANDEM_EVENT_CALL_SERVICE =
      10 /* a call that the host serves, or an order of the host for it; see `service` */
};

/* What became of a call that the host serves (T-17), or of an order for it. */
enum {
  TANDEM_SERVICE_READY = 0,        /* orders are taken from now on */
  TANDEM_SERVICE_PLAYED = 1,       /* what was played is over */
  TANDEM_SERVICE_COLLECTED = 2,    /* see `digits` */
  TANDEM_SERVICE_BRIDGED = 3,      /* the callee has the caller: it is served no longer */
  TANDEM_SERVICE_BRIDGE_FAILED = 4 /* see `sip_status`; it is served as before */
};
/* Why playing or collecting is over. */
enum {
  TANDEM_SERVICE_WHY_NONE = 0,
  TANDEM_SERVICE_WHY_FINISHED = 1,   /* played to its end */
  TANDEM_SERVICE_WHY_KEY = 2,        /* a key ended what was played */
  TANDEM_SERVICE_WHY_STOPPED = 3,    /* another order, a bridge or a reminder did */
  TANDEM_SERVICE_WHY_FULL = 4,       /* `max` keys came */
  TANDEM_SERVICE_WHY_TERMINATOR = 5, /* a key that ends a collection */
  TANDEM_SERVICE_WHY_FIRST_KEY = 6,  /* no first key came in time */
  TANDEM_SERVICE_WHY_NEXT_KEY = 7    /* no further key came in time */
};
typedef struct tandem_service_report {
  size_t struct_size;
  int32_t what;        /* TANDEM_SERVICE_*; later versions may send others */
  int32_t why;         /* TANDEM_SERVICE_WHY_* */
  const char* digits;  /* of TANDEM_SERVICE_COLLECTED: 0..9, *, #, A..D; else "" */
  int32_t is_complete; /* the same: not fewer than `min` */
  int32_t sip_status;  /* of TANDEM_SERVICE_BRIDGE_FAILED: 300..699 */
} tandem_service_report;

/* Something that happened; ends with the callback. */
typedef struct tandem_event {
  size_t struct_size;
  int32_t kind; /* TANDEM_EVENT_*; later versions may send others */
  int64_t at_us;
  uint64_t id;           /* of the call, for tandem_switch_disconnect(); 0: of no call */
  const char* call_id;   /* its Call-ID; "" of no call */
  const tandem_cdr* cdr; /* of TANDEM_EVENT_CALL_ENDED, else NULL */
  const char* json;      /* all of it */
  const tandem_service_report* service; /* of TANDEM_EVENT_CALL_SERVICE, else NULL */
} tandem_event;

/* Shall this call go on, and how? After admission and rewriting, before routing. */
typedef struct tandem_policy_question {
  size_t struct_size;
  uint64_t token; /* for tandem_switch_answer() */
  const char* call_id;
  const char* customer_gateway;
  const char* account;
  const char* caller; /* after the source's rewrite rules */
  const char* callee;
  const char* caller_in;
  const char* callee_in;
  tandem_address source;
} tandem_policy_question;

enum {
  TANDEM_SERVE_NO = 0,
  TANDEM_SERVE_ANSWERED = 1, /* it is answered at once, and paid for like any call to the number */
  TANDEM_SERVE_EARLY = 2     /* it hears early media until tandem_switch_answer_call() */
};
/* What the initialiser says lets the call go on unchanged. */
typedef struct tandem_policy_answer {
  size_t struct_size;
  int32_t refuse;
  int32_t sip_status; /* of a refusal, 400..699; 0 means 403 */
  const char* caller; /* not empty: replaces the number for routing and billing */
  const char* callee;
  const char* const* vendor_gateways; /* not empty: try only these, in this order */
  size_t vendor_gateways_count;
  int32_t serve;       /* TANDEM_SERVE_*: the call goes to nobody, the host serves it (T-17) */
  int32_t is_unbilled; /* 1: nobody pays for the call itself */
} tandem_policy_answer;
#define TANDEM_POLICY_ANSWER_INIT \
  { sizeof(tandem_policy_answer), 0, 0, NULL, NULL, NULL, 0, TANDEM_SERVE_NO, 0 }

/* An LRN resolver of kind `host` asks where a number is. */
typedef struct tandem_lrn_question {
  size_t struct_size;
  uint64_t token; /* for tandem_switch_answer_lrn() */
  const char* resolver;
  const char* number; /* of a callee or a caller */
} tandem_lrn_question;

/* What the initialiser says: not ported, region unknown. */
typedef struct tandem_lrn_answer {
  size_t struct_size;
  int32_t failed;     /* 1: the number could not be looked up */
  const char* lrn;    /* 1..31 digits, '+' in front or not; NULL or "": not ported */
  const char* region; /* at most 32 bytes; NULL or "": unknown */
} tandem_lrn_answer;
#define TANDEM_LRN_ANSWER_INIT \
  { sizeof(tandem_lrn_answer), 0, NULL, NULL }

/* On the switch's callback thread, one at a time; they may block (calls wait for a policy answer
   only, and only up to its deadline) and may call every function of the switch but close() and
   destroy(). After close() none runs. */
typedef void (*tandem_event_fn)(const tandem_event* event, void* user);
typedef void (*tandem_policy_fn)(const tandem_policy_question* question, void* user);
typedef void (*tandem_lrn_fn)(const tandem_lrn_question* question, void* user);

typedef struct tandem_switch_hooks {
  size_t struct_size;
  tandem_log_fn log;
  int32_t log_level; /* TANDEM_LOG_*: the lowest that is wanted */
  tandem_event_fn on_event;
  size_t event_queue_max;     /* newer events are dropped and counted beyond it; 0 means 65,536 */
  tandem_policy_fn on_policy; /* answer with tandem_switch_answer(), there or later */
  int64_t policy_deadline_us; /* 1 ms..10 s; 0 means 500,000; then `policy_default` holds */
  const tandem_policy_answer* policy_default; /* copied; NULL: the call goes on */
  tandem_cdr_sink* const* cdr_sinks; /* beside those of the configuration; the switch takes them */
  size_t cdr_sinks_count;
  void (*user_free)(void* user);
  void* user;           /* of all callbacks */
  tandem_lrn_fn on_lrn; /* answer with tandem_switch_answer_lrn(), there or later */
} tandem_switch_hooks;
#define TANDEM_SWITCH_HOOKS_INIT                                                               \
  {                                                                                            \
    sizeof(tandem_switch_hooks), NULL, TANDEM_LOG_INFO, NULL, 0, NULL, 0, NULL, NULL, 0, NULL, \
        NULL, NULL                                                                             \
  }

typedef struct tandem_switch_counters {
  size_t struct_size;
  uint64_t calls_started;
  uint64_t calls_answered;
  uint64_t calls_ended;
  uint64_t calls_refused;
  uint64_t calls_live;
  uint64_t events_dropped;
  uint64_t datagrams_received;
  uint64_t malformed;
  uint64_t retransmissions;
  uint64_t journal_records;
  uint64_t journal_lag;
  int32_t journal_writable;
  int32_t is_draining;   /* new calls are refused */
  uint64_t dialogs_live; /* now, as the next two */
  uint64_t transactions_live;
  uint64_t media_sessions_live;
  uint64_t event_feeds;      /* watchers now, see tandem_switch_watch() */
  uint64_t feed_events_lost; /* by all watchers together */
  /* Look-ups of numbers, all resolvers together. */
  uint64_t lrn_cache_hits;
  uint64_t lrn_coalesced; /* were being asked for already */
  uint64_t lrn_questions; /* attempts that were sent */
  uint64_t lrn_answers;
  uint64_t lrn_timeouts;
  uint64_t lrn_failures;
  uint64_t lrn_overflows;
  uint64_t lrn_under_way; /* now */
  uint64_t lrn_cache_entries;
  uint64_t registrants_online; /* phones and gateways that are registered here, now */
  uint64_t registers_received; /* REGISTER requests that were served */
  uint64_t registers_refused;  /* got 503: all together were too many */
  uint64_t registers_dropped;  /* got no answer: their source sent too many */
  uint64_t tls_handshakes;     /* TLS connections that came about, either way */
  uint64_t tls_failures;       /* did not: certificates, protocol, no TLS, too slow */
  uint64_t tls_refused;        /* of peers, beyond the rate of handshakes */
  uint64_t websockets_opened;  /* WebSocket connections that came about */
  uint64_t websocket_failures; /* did not: TLS, HTTP, Origin, protocol, too slow */
  /* Look-ups of the names of gateways. */
  uint64_t dns_questions; /* sent to name servers, repeated ones too */
  uint64_t dns_answers;
  uint64_t dns_timeouts;
  uint64_t dns_failures;      /* look-ups that no server answered */
  uint64_t dns_strays;        /* answered nothing that was asked: forgeries */
  uint64_t dns_truncated;     /* fetched over TCP */
  uint64_t dns_names;         /* now, as the next */
  uint64_t dns_names_failing; /* stand for nothing, or only for something old */
  uint64_t traces_running;    /* call traces now, without the ring */
  uint64_t hep_sent;          /* copies of messages for the HEP server */
  uint64_t hep_dropped;       /* those that found no room in a turn of a worker */
  /* New calls under overload. */
  uint64_t overload_refused;      /* got 503 */
  uint64_t overload_dropped;      /* got no answer: there was not even time for that */
  uint64_t overload_waited;       /* waited for their turn */
  uint64_t overload_loss_percent; /* now: what peers are asked to keep back (RFC 7339) */
  /* Connections of SIP. */
  uint64_t connections_live;    /* now */
  uint64_t connections_refused; /* too many of all, or of one peer */
  uint64_t connections_unused;  /* closed: no message came */
  uint64_t connections_deaf;    /* closed: the peer did not read what was sent to it */
  uint64_t sip_memory_bytes;    /* now: held by pools of SIP transactions and dialogs */
} tandem_switch_counters;
#define TANDEM_SWITCH_COUNTERS_INIT                                                                \
  {                                                                                                \
    sizeof(tandem_switch_counters), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, \
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,  \
        0, 0, 0, 0, 0                                                                              \
  }

/* Opens sockets, database and journal and recovers what a crash left; takes no call before
   start(). `hooks`: NULL for none. Errors: INVALID_ARGUMENT (the first error of the configuration),
   IO and ALREADY_EXISTS (port, folder, database), CORRUPT (journal). Since 0.1. */
TANDEM_API int tandem_switch_create(const tandem_config* config, const tandem_switch_hooks* hooks,
                                    tandem_switch** out);
/* tandem_config_read_json(), then tandem_switch_create(). Since 0.1. */
TANDEM_API int tandem_switch_create_json(const char* json, const char* folder,
                                         const tandem_switch_hooks* hooks, tandem_switch** out);
/* tandem_config_read_file(), then tandem_switch_create(). Since 0.1. */
TANDEM_API int tandem_switch_create_file(const char* path, const tandem_switch_hooks* hooks,
                                         tandem_switch** out);
/* Takes calls from now on. Errors: WRONG_STATE (started or closed before). Since 0.1. */
TANDEM_API int tandem_switch_start(tandem_switch* object);
/* Refuses new calls; running ones go on. Irrevocable. Since 0.1. */
TANDEM_API int tandem_switch_drain(tandem_switch* object);
/* Waits until no call is up. Errors: TIMEOUT. Since 0.1. */
TANDEM_API int tandem_switch_wait_idle(tandem_switch* object, int64_t timeout_us);
/* Ends the calls that are still up, writes what waits, stops all threads. May be repeated. Errors:
   WRONG_THREAD (in a callback). Since 0.1. */
TANDEM_API int tandem_switch_close(tandem_switch* object);
/* Closes and frees. Not in a callback. Since 0.1. */
TANDEM_API void tandem_switch_destroy(tandem_switch* object);

/* Applies another configuration to new calls. *restart_keys (NULL: not wanted) gets the keys that
   differ and need a restart, a line each. Errors: INVALID_ARGUMENT; then nothing changed.
   Since 0.1. */
TANDEM_API int tandem_switch_reload(tandem_switch* object, const tandem_config* config,
                                    tandem_text** restart_keys);
TANDEM_API int tandem_switch_reload_json(tandem_switch* object, const char* json,
                                         const char* folder, tandem_text** restart_keys);

/* Events for one watcher, beside `on_event` and other watchers. Any thread; may outlive its switch.
 */
typedef struct tandem_event_feed tandem_event_feed;
/* Watches from now on. `queue_events`: 1..1,000,000 that may wait until they are taken, newer ones
   are lost and counted; 0 means 4,096. Errors: INVALID_ARGUMENT, LIMIT (64 feeds), WRONG_STATE
   (closed). Since 0.1. */
TANDEM_API int tandem_switch_watch(tandem_switch* object, size_t queue_events,
                                   tandem_event_feed** out);
/* Hands up to `events_max` events to `function`, oldest first, on the calling thread; waits up to
   `wait_us` for the first one (0: not; in a simulated world always 0). *lost (NULL: not wanted):
   events that are missing among those or after them. `function` may call everything but the
   feed's destroy(). Errors: INVALID_ARGUMENT, WRONG_STATE (the switch is closed and everything was
   taken). Since 0.1. */
TANDEM_API int tandem_event_feed_take(tandem_event_feed* feed, size_t events_max, int64_t wait_us,
                                      tandem_event_fn function, void* user, uint64_t* lost);
TANDEM_API void tandem_event_feed_destroy(tandem_event_feed* feed); /* Stops watching. Since 0.1. */

TANDEM_API size_t tandem_switch_live_calls(const tandem_switch* object); /* Since 0.1. */
/* Live calls as a JSON array. Since 0.1. */
TANDEM_API int tandem_switch_calls(const tandem_switch* object, tandem_text** json);
/* Ends a call. Errors: NOT_FOUND. Since 0.1. */
TANDEM_API int tandem_switch_disconnect(tandem_switch* object, uint64_t id);
/* Begins or ends the recording of an answered call. Errors: NOT_FOUND (no such call, or no relayed
   audio), WRONG_STATE (not answered, or no `recording` is configured), LIMIT. Since 0.1. */
TANDEM_API int tandem_switch_record(tandem_switch* object, uint64_t id, int32_t on);

/* Keys that are collected of the caller of a served call. */
typedef struct tandem_collect_order {
  size_t struct_size;
  uint32_t min;            /* 0..max; with fewer the collection is not complete */
  uint32_t max;            /* 1..64: the last of so many ends it; 0 means 1 */
  int64_t first_key_ms;    /* 100..600,000, from the end of what is played once; 0 means 10,000 */
  int64_t next_key_ms;     /* 100..600,000; 0 means 5,000 */
  const char* terminators; /* keys that end it and are none of its digits; NULL means "#" */
  int32_t drops_earlier;   /* 1: keys pressed since the last collection count as none */
} tandem_collect_order;
#define TANDEM_COLLECT_ORDER_INIT \
  { sizeof(tandem_collect_order), 1, 1, 0, 0, NULL, 0 }

/* Who shall have the caller of a served call. */
typedef struct tandem_bridge_order {
  size_t struct_size;
  const char* callee;   /* required; the call is judged as if the caller had dialled it */
  const char* caller;   /* who is shown, and pays by B-04; NULL or "": who calls */
  const char* customer; /* whose call it is, a customer gateway or "phone:NUMBER"; NULL or "":
                           whose the served call is */
  const char* const* vendor_gateways; /* not empty: try only these, in this order */
  size_t vendor_gateways_count;
} tandem_bridge_order;
#define TANDEM_BRIDGE_ORDER_INIT \
  { sizeof(tandem_bridge_order), NULL, NULL, NULL, NULL, 0 }

/* Orders for a call that the host serves (T-17): done when they return, and what comes of them is
   told by TANDEM_EVENT_CALL_SERVICE. Any thread. Errors of all: NOT_FOUND (no such call),
   WRONG_STATE (it is not served, or not ready yet), INVALID_ARGUMENT, LIMIT (the loop of the call
   was too busy; it may still carry the order out). */
/* Answers a call that is served in early media. Since 0.1. */
TANDEM_API int tandem_switch_answer_call(tandem_switch* object, uint64_t id);
/* Plays a WAV file (one channel, 8,000 Hz, at most two minutes) or "tone:ringback/us" to the
   caller; reads the file at once, on the calling thread. `repeats`: until something else ends it.
   `stops_at_key`: any key of the caller ends it. Errors: IO, NOT_FOUND (no such tone), UNSUPPORTED
   (no way to play), LIMIT. Since 0.1. */
TANDEM_API int tandem_switch_play(tandem_switch* object, uint64_t id, const char* source,
                                  int32_t repeats, int32_t stops_at_key);
/* The same of 1..64 sounds, one after the other, two minutes together. Since 0.1. */
TANDEM_API int tandem_switch_play_list(tandem_switch* object, uint64_t id,
                                       const char* const* sources, size_t source_count,
                                       int32_t repeats, int32_t stops_at_key);
/* Ends what is played and collected, and a bridge that is not there yet. Since 0.1. */
TANDEM_API int tandem_switch_stop(tandem_switch* object, uint64_t id);
TANDEM_API int tandem_switch_collect(tandem_switch* object, uint64_t id,
                                     const tandem_collect_order* order); /* Since 0.1. */
/* Leads the caller to a number: a call of its own, whose callee takes the place of the host.
   Errors: NOT_FOUND (no such `customer`), LIMIT (16 bridges of one call). Since 0.1. */
TANDEM_API int tandem_switch_bridge(tandem_switch* object, uint64_t id,
                                    const tandem_bridge_order* order);
/* Ends it. `q850_cause`: 1..127, 0 means 16. Since 0.1. */
TANDEM_API int tandem_switch_hang_up(tandem_switch* object, uint64_t id, int32_t q850_cause);

/* Answers a policy question; late or unknown tokens are ignored. NULL: goes on unchanged. Errors:
   INVALID_ARGUMENT. Since 0.1. */
TANDEM_API int tandem_switch_answer(tandem_switch* object, uint64_t token,
                                    const tandem_policy_answer* answer);
/* Answers a question of `on_lrn` within the resolver's `timeout_ms`; late and unknown tokens are
   ignored. NULL: it could not be looked up. Errors: INVALID_ARGUMENT (what is no LRN or too long;
   then nothing is answered). Any thread. Since 0.1. */
TANDEM_API int tandem_switch_answer_lrn(tandem_switch* object, uint64_t token,
                                        const tandem_lrn_answer* answer);
/* All accounts as a JSON array; one as a JSON object (errors: NOT_FOUND). Since 0.1. */
TANDEM_API int tandem_switch_accounts(const tandem_switch* object, tandem_text** json);
TANDEM_API int tandem_switch_account(const tandem_switch* object, const char* id,
                                     tandem_text** json);
/* Books a payment, negative: a deduction, durably. `memo`: NULL for none; `balance_units`: NULL
   when not wanted. Errors: NOT_FOUND, INVALID_ARGUMENT (zero or out of range), IO. Since 0.1. */
TANDEM_API int tandem_switch_pay(tandem_switch* object, const char* account, int64_t units,
                                 const char* memo, int64_t* balance_units);

/* Money that is to be moved. */
typedef struct tandem_booking {
  size_t struct_size;          /* sizeof(tandem_booking), set by TANDEM_BOOKING_INIT */
  const char* account;         /* required */
  int64_t units;               /* positive: put on the account, negative: taken */
  const char* kind;            /* "payment", "deduction", "zeroing" (units 0: it finds its own),
                                  "package_rent", "package_shortfall", "phone_rent",
                                  "phone_shortfall", "correction"; NULL: by the sign */
  const char* memo;            /* at most 1024 bytes; NULL for none */
  const char* reference;       /* at most 128 bytes; NULL for none */
  const char* idempotency_key; /* at most 128 bytes; NULL: a repetition is booked again */
  int32_t covered_only;        /* 1: refused when the account does not have it */
} tandem_booking;
#define TANDEM_BOOKING_INIT \
  { sizeof(tandem_booking), NULL, 0, NULL, NULL, NULL, NULL, 0 }
/* What became of it. */
typedef struct tandem_booking_answer {
  size_t struct_size;
  int64_t units;         /* moved */
  int64_t balance_units; /* right after it; of a repetition what the first was told */
  int64_t entry;         /* of the ledger */
  int32_t repeated;      /* 1: booked before under its key, nothing was moved now */
} tandem_booking_answer;
#define TANDEM_BOOKING_ANSWER_INIT \
  { sizeof(tandem_booking_answer), 0, 0, 0, 0 }
/* Moves money durably. With a key a repetition is answered as the first was, whenever it comes.
   *out (NULL: not wanted). Errors: NOT_FOUND, INVALID_ARGUMENT, ALREADY_EXISTS (the key was used
   for another booking), WRONG_STATE (not covered), LIMIT (the balance would leave its range), IO
   (it may be booked then; a repetition with its key tells). Since 0.1. */
TANDEM_API int tandem_switch_book(tandem_switch* object, const tandem_booking* booking,
                                  tandem_booking_answer* out);
/* Which entries of an account are wanted. */
typedef struct tandem_ledger_query {
  size_t struct_size;
  const char* account; /* required */
  int64_t since_us;    /* inclusive; 0: from the first */
  int64_t until_us;    /* exclusive; 0: up to the last */
  int64_t before;      /* only entries older than this one; 0: from the newest on */
  size_t limit;        /* 1..1,000,000; 0 means 100 */
} tandem_ledger_query;
#define TANDEM_LEDGER_QUERY_INIT \
  { sizeof(tandem_ledger_query), NULL, 0, 0, 0, 0 }
/* What moved the balance of an account, newest first, a JSON object a line. Errors:
   INVALID_ARGUMENT, IO. Since 0.1. */
TANDEM_API int tandem_switch_ledger(const tandem_switch* object, const tandem_ledger_query* query,
                                    tandem_text** json_lines);
/* Current packages of an account and its monthly rules, and behind them those that it pays for its
   phones, as a JSON array. Errors: NOT_FOUND. Any thread. Since 0.1. */
TANDEM_API int tandem_switch_packages(const tandem_switch* object, const char* account,
                                      tandem_text** json);
/* Those of one phone. Errors: NOT_FOUND. Any thread. Since 0.1. */
TANDEM_API int tandem_switch_phone_packages(const tandem_switch* object, const char* number,
                                            tandem_text** json);
/* The same of the database of a configuration, whether a switch runs on it or not. Errors:
   NOT_FOUND (no database), INVALID_ARGUMENT, IO. Since 0.1. */
TANDEM_API int tandem_config_query_ledger(const tandem_config* config,
                                          const tandem_ledger_query* query,
                                          tandem_text** json_lines);
/* Whether each account's entries add up, and whether the charges are those of the stored calls, as
   a JSON object (docs/cdr.md). *is_ok (NULL: not wanted): 1 when they do. Reads only. Errors:
   NOT_FOUND (no database), IO, CORRUPT. Since 0.1. */
TANDEM_API int tandem_config_check_ledger(const tandem_config* config, int32_t* is_ok,
                                          tandem_text** json);
TANDEM_API int tandem_switch_check_ledger(const tandem_switch* object, int32_t* is_ok,
                                          tandem_text** json);

/* Calls of the past by another deck. */
typedef struct tandem_rerate_query {
  size_t struct_size;
  const char* deck;    /* id of the other deck; required */
  int32_t vendor_side; /* 1: the vendors' side instead of the customers' */
  const char* account; /* only calls of this account; NULL: those of all */
  int64_t since_us;    /* inclusive, of the end of a call; 0: from the first */
  int64_t until_us;    /* exclusive; 0: up to the last */
  /* 1: also sides whose charge no tariff made, which were settled by hand or given with a call of
     another system */
  int32_t includes_settled;
} tandem_rerate_query;
#define TANDEM_RERATE_QUERY_INIT \
  { sizeof(tandem_rerate_query), NULL, 0, NULL, 0, 0, 0 }
/* What the answered calls of the configured SQLite sink would have been charged, account by
   account, as a JSON object; nothing is changed. May take long. Errors: INVALID_ARGUMENT (unknown
   deck), UNSUPPORTED (no SQLite sink), LIMIT (a sum), IO. Since 0.1. */
TANDEM_API int tandem_config_rerate(const tandem_config* config, const tandem_rerate_query* query,
                                    tandem_text** json);
/* The same by the decks of a running switch. */
TANDEM_API int tandem_switch_rerate(const tandem_switch* object, const tandem_rerate_query* query,
                                    tandem_text** json);
/* The same, and what differs becomes the charge of each call, one correction a call (B-25), unless
   `dry_run` is not 0. `reason` is required, `author` may be NULL. The JSON object has `dry_run` and
   `corrected` too. What was corrected before an error stays so, and a repetition goes on. Errors:
   as above, and those of tandem_switch_correct(). Since 0.1. */
TANDEM_API int tandem_switch_apply_rerate(tandem_switch* object, const tandem_rerate_query* query,
                                          const char* reason, const char* author, int32_t dry_run,
                                          tandem_text** json);
/* Begins what tandem_switch_apply_rerate() does on a thread of the switch, one at a time, and
   returns at once; *id gets the number of the job. Errors: ALREADY_EXISTS (one runs), WRONG_STATE
   (closed, or an hour without questions), LIMIT (no thread), INVALID_ARGUMENT, UNSUPPORTED. Since
   0.1. */
TANDEM_API int tandem_switch_start_rerate(tandem_switch* object, const tandem_rerate_query* query,
                                          const char* reason, const char* author, int32_t dry_run,
                                          uint64_t* id);
/* How far it is, as a JSON object: id state ("running", "done", "failed", "cancelled") deck dry_run
   started_at_us ended_at_us looked_at corrected refused failure result. The last sixteen that ended
   are known. Errors: NOT_FOUND. Since 0.1. */
TANDEM_API int tandem_switch_rerate_job(const tandem_switch* object, uint64_t id,
                                        tandem_text** json);
/* Asks it to end soon; what it corrected stays so, and a repetition goes on. Errors: NOT_FOUND.
   Since 0.1. */
TANDEM_API int tandem_switch_cancel_rerate(tandem_switch* object, uint64_t id);
/* Changes what a call that is over was charged (B-25), durably: `json` is the body of POST
   /api/v1/cdrs/ID/corrections with `record_id` (docs/cdr.md). *answer (may be NULL) gets the
   correction as JSON. Errors: NOT_FOUND, INVALID_ARGUMENT, ALREADY_EXISTS (its key was used for
   another one, or nothing would change), UNSUPPORTED (no SQLite sink), LIMIT (a balance would leave
   its range), WRONG_STATE (closed), IO. Since 0.1. */
TANDEM_API int tandem_switch_correct(tandem_switch* object, const char* json, tandem_text** answer);
/* Which corrections are wanted. */
typedef struct tandem_correction_query {
  size_t struct_size;
  uint64_t record_id;  /* of a call; 0: of all */
  const char* account; /* NULL: of all */
  int64_t since_us;    /* inclusive, of the correction; 0: from the first */
  int64_t until_us;    /* exclusive; 0: up to the last */
  uint64_t before;     /* only those with a smaller id: the next page; 0: from the newest */
  size_t limit;        /* 1..1000000; 0: 100 */
} tandem_correction_query;
#define TANDEM_CORRECTION_QUERY_INIT \
  { sizeof(tandem_correction_query), 0, NULL, 0, 0, 0, 0 }
/* Newest first, a JSON object a line. Errors: INVALID_ARGUMENT, NOT_FOUND (no database), IO.
   Since 0.1. */
TANDEM_API int tandem_switch_corrections(const tandem_switch* object,
                                         const tandem_correction_query* query,
                                         tandem_text** json_lines);
TANDEM_API int tandem_config_query_corrections(const tandem_config* config,
                                               const tandem_correction_query* query,
                                               tandem_text** json_lines);
/* Records and charges a call that another system carried (B-26), durably; a flow number once.
   `json` is a body of POST /api/v1/cdrs (docs/cdr.md); *answer (may be NULL) gets record_id,
   repeated and cdr as JSON. Errors: INVALID_ARGUMENT, LIMIT, WRONG_STATE (closed), IO. Since 0.1.
 */
TANDEM_API int tandem_switch_record_call(tandem_switch* object, const char* json,
                                         tandem_text** answer);
/* What is compared with a partner's list of calls (B-27, docs/reconciliation.md). */
typedef struct tandem_reconcile_query {
  size_t struct_size;
  const char* gateway;      /* required */
  int32_t customer_side;    /* 1: a customer gateway; 0: a vendor gateway */
  int32_t line_hundredths;  /* from this deviation of a total on it is exceeded; 100 is 1 % */
  int64_t since_us;         /* inclusive, of the end of our calls */
  int64_t until_us;         /* exclusive */
  const char* csv;          /* the partner's list; required */
  const char* columns;      /* "callee=Called,answered_at=Start,..."; NULL: as docs have it */
  int64_t time_tolerance_s; /* between the answers */
  int64_t clock_offset_s;   /* their clock less ours */
  int64_t duration_tolerance_s;
  int64_t charge_tolerance_units;
  size_t rows_max; /* rows that are listed */
} tandem_reconcile_query;
#define TANDEM_RECONCILE_QUERY_INIT \
  { sizeof(tandem_reconcile_query), NULL, 0, 100, 0, 0, NULL, NULL, 60, 0, 1, 0, 1000 }
/* Which calls are at one end only, or differ, as a JSON object. Errors: INVALID_ARGUMENT (the list,
   a rule, no gateway), UNSUPPORTED (no SQLite sink), LIMIT, IO. Since 0.1. */
TANDEM_API int tandem_config_reconcile(const tandem_config* config,
                                       const tandem_reconcile_query* query, tandem_text** json);
/* What a gateway's calls that ended in a period came to, as a JSON object: calls answered
   billed_time_s charge. Errors: as above. Since 0.1. */
TANDEM_API int tandem_switch_interconnect_totals(const tandem_switch* object, const char* gateway,
                                                 int32_t customer_side, int64_t since_us,
                                                 int64_t until_us, tandem_text** json);
/* The last comparisons with the switches at the other ends, as a JSON array. Since 0.1. */
TANDEM_API int tandem_switch_peer_checks(const tandem_switch* object, tandem_text** json);
/* tandem_margin_report() of decks by their ids, at `at_us` (0: now). Errors: INVALID_ARGUMENT
   (unknown deck, currencies). Since 0.1. */
TANDEM_API int tandem_config_margin_report(const tandem_config* config, const char* sell,
                                           const char* const* buys, size_t buys_count,
                                           int64_t at_us, tandem_text** json);
TANDEM_API int tandem_switch_margin_report(const tandem_switch* object, const char* sell,
                                           const char* const* buys, size_t buys_count,
                                           int64_t at_us, tandem_text** json);
/* All gateways as a JSON array. Since 0.1. */
TANDEM_API int tandem_switch_gateways(const tandem_switch* object, tandem_text** json);
/* All phones with where they are registered, as a JSON array; one of them as a JSON object. Errors
   of the second: NOT_FOUND. Since 0.1. */
TANDEM_API int tandem_switch_phones(const tandem_switch* object, tandem_text** json);
TANDEM_API int tandem_switch_phone(const tandem_switch* object, const char* number,
                                   tandem_text** json);
/* Who is suspended after wrong passwords, as a JSON array. Since 0.1. */
TANDEM_API int tandem_switch_suspensions(const tandem_switch* object, tandem_text** json);
/* Ends a suspension; `user` NULL or "": those of the whole address. Errors: NOT_FOUND,
   INVALID_ARGUMENT (no address). Since 0.1. */
TANDEM_API int tandem_switch_lift_suspension(tandem_switch* object, const char* user,
                                             const char* address);
/* How notices of phones to the server of `phone_notices` fare, as a JSON object. Since 0.1. */
TANDEM_API int tandem_switch_phone_notices(const tandem_switch* object, tandem_text** json);
/* Tells that server of every phone, on line or not. *phones (NULL: not wanted): how many there are.
   Errors: WRONG_STATE (there are no `phone_notices`, or the switch was closed). Since 0.1. */
TANDEM_API int tandem_switch_notify_phones(tandem_switch* object, size_t* phones);
TANDEM_API int tandem_switch_read_counters(const tandem_switch* object,
                                           tandem_switch_counters* out);
/* The sinks of records, the ledger among them, as tandem_cdr_journal_sinks() has them: how far they
   are behind, and what they refused. Since 0.1. */
TANDEM_API int tandem_switch_sinks(const tandem_switch* object, tandem_text** json);
/* Records, newest first, a JSON object a line. `query`: NULL for the last 100. Errors:
   INVALID_ARGUMENT, IO. Since 0.1. */
TANDEM_API int tandem_switch_cdrs(const tandem_switch* object, const tandem_cdr_query* query,
                                  tandem_text** json_lines);
/* As tandem_config_cdr_cursor() and tandem_config_call_report(), by what is in force now. */
TANDEM_API int tandem_switch_cdr_cursor(const tandem_switch* object, const tandem_cdr_query* query,
                                        tandem_cdr_cursor** out);
TANDEM_API int tandem_switch_call_report(const tandem_switch* object,
                                         const tandem_call_report_request* request,
                                         tandem_text** text);
/* As tandem_config_explain(), with the loads of now. Since 0.1. */
TANDEM_API int tandem_switch_explain(const tandem_switch* object,
                                     const tandem_explain_request* request, tandem_text** json);

/* Maintenance of the day files (O-08). The days of the SQLite sink, the latest first, a JSON object
   a line (docs/maintenance.md); opens each file. Errors: UNSUPPORTED (no SQLite sink), IO. Any
   thread; blocks. Since 0.1. */
TANDEM_API int tandem_config_stored_days(const tandem_config* config, tandem_text** json_lines);
TANDEM_API int tandem_switch_stored_days(const tandem_switch* object, tandem_text** json_lines);
/* Does it on this thread, beside a running switch or without one. `act`: "run" (all that is due),
   "seal", "verify", "archive", "restore", "remove" (an archive of any age, unless records of it are
   disputed or not yet billed), "write_columns" or "drop_columns"; `day`: "YYYY-MM-DD", with "run"
   NULL or "". *json (NULL: not wanted) gets the report, in which is what failed. Errors:
   INVALID_ARGUMENT, UNSUPPORTED, ALREADY_EXISTS (somebody is at it), IO. Since 0.1. */
TANDEM_API int tandem_config_maintain(const tandem_config* config, const char* act, const char* day,
                                      tandem_text** json);
/* Begins the same on a thread of the switch. Errors: also WRONG_STATE (closed), LIMIT (no thread).
   Since 0.1. */
TANDEM_API int tandem_switch_start_maintenance(tandem_switch* object, const char* act,
                                               const char* day);
/* What it does and how the last one ended, a JSON object. Since 0.1. */
TANDEM_API int tandem_switch_maintenance(const tandem_switch* object, tandem_text** json);
/* What was done to days, recordings and partitions (O-09). NULL and 0 mean: any. */
typedef struct tandem_maintenance_note_query {
  size_t struct_size;
  const char* act;  /* "remove", "archive", ..., "delete_recordings"; "retire": a partition */
  const char* day;  /* "YYYY-MM-DD" */
  int64_t since_us; /* inclusive */
  int64_t until_us; /* exclusive */
  size_t limit;     /* 1..20000; 0: 100 */
} tandem_maintenance_note_query;
#define TANDEM_MAINTENANCE_NOTE_QUERY_INIT \
  { sizeof(tandem_maintenance_note_query), NULL, NULL, 0, 0, 0 }
/* Newest first, a JSON object a line: at_us act day sink done failure files records asked. Errors:
   INVALID_ARGUMENT, IO. Any thread; blocks. Since 0.1. */
TANDEM_API int tandem_config_maintenance_notes(const tandem_config* config,
                                               const tandem_maintenance_note_query* query,
                                               tandem_text** json_lines);
TANDEM_API int tandem_switch_maintenance_notes(const tandem_switch* object,
                                               const tandem_maintenance_note_query* query,
                                               tandem_text** json_lines);

/* Disputes a record, durably, or resolves that: its day is not deleted in between (O-09). `json`:
   `record_id`, `reason` (why; or what came of it), `author`, and `day`, "YYYY-MM-DD", when the
   record is of an archived day or there are no day files. *answer (may be NULL) gets the dispute as
   JSON (docs/maintenance.md). Errors: INVALID_ARGUMENT, NOT_FOUND (no such record, or no open
   dispute of it), ALREADY_EXISTS (it is disputed), WRONG_STATE (name the day; closed),
   UNSUPPORTED (no database file to keep it in), IO. Any thread; blocks. Since 0.1. */
TANDEM_API int tandem_config_dispute_record(const tandem_config* config, const char* json,
                                            tandem_text** answer);
TANDEM_API int tandem_config_resolve_dispute(const tandem_config* config, const char* json,
                                             tandem_text** answer);
TANDEM_API int tandem_switch_dispute_record(tandem_switch* object, const char* json,
                                            tandem_text** answer);
TANDEM_API int tandem_switch_resolve_dispute(tandem_switch* object, const char* json,
                                             tandem_text** answer);
/* Which disputes are wanted. NULL and 0 mean: any. */
typedef struct tandem_dispute_query {
  size_t struct_size;
  uint64_t record_id;
  const char* day; /* "YYYY-MM-DD" */
  int32_t open;    /* 1: those that are open; 2: those that are resolved; 0: both */
  uint64_t before; /* only those with a smaller id: the next page; 0: from the newest */
  size_t limit;    /* 1..1000000; 0: 100 */
} tandem_dispute_query;
#define TANDEM_DISPUTE_QUERY_INIT \
  { sizeof(tandem_dispute_query), 0, NULL, 0, 0, 0 }
/* Newest first, a JSON object a line. Errors: INVALID_ARGUMENT, IO. Any thread; blocks. Since 0.1.
 */
TANDEM_API int tandem_config_disputes(const tandem_config* config,
                                      const tandem_dispute_query* query, tandem_text** json_lines);
TANDEM_API int tandem_switch_disputes(const tandem_switch* object,
                                      const tandem_dispute_query* query, tandem_text** json_lines);

/* Shadow routing: calls that arrive from now on are also routed, once they are over, by the tables
   of `plan`, a JSON object that is laid over what is in force (docs/routing.md); no call is
   touched. Errors: INVALID_ARGUMENT, NOT_FOUND (a version of a deck), WRONG_STATE (one runs), IO.
   Since 0.1. */
TANDEM_API int tandem_switch_start_shadow(tandem_switch* object, const char* plan);
/* What it would have changed so far, a JSON object. Errors: NOT_FOUND (none runs). Since 0.1. */
TANDEM_API int tandem_switch_shadow_report(const tandem_switch* object, tandem_text** json);
/* Ends it; *json (NULL: not wanted) gets the last report. Errors: NOT_FOUND. Since 0.1. */
TANDEM_API int tandem_switch_stop_shadow(tandem_switch* object, tandem_text** json);
/* A report as a table for people, `rows_max` rows of each list at most. Errors: INVALID_ARGUMENT.
   Since 0.1. */
TANDEM_API int tandem_shadow_table(const char* json, size_t rows_max, tandem_text** table);

/* Call traces (O-12, docs/trace.md). Records the calls that arrive from now on and fit `request`, a
   JSON object with `caller callee gateway source phone duration_s calls bytes hep memo`, none
   required (NULL: all calls, with the usual bounds). *id (NULL: not wanted) names the trace, which
   ends by itself. Errors: INVALID_ARGUMENT (the message begins with the key), LIMIT (those that run
   leave no room), WRONG_STATE (closed). Any thread. Since 0.1. */
TANDEM_API int tandem_switch_start_trace(tandem_switch* object, const char* request, uint64_t* id);
/* Records nothing more; what there is stays. Errors: NOT_FOUND, WRONG_STATE (it has ended). Any
   thread. Since 0.1. */
TANDEM_API int tandem_switch_stop_trace(tandem_switch* object, uint64_t id);
/* Forgets it with its calls. Errors: NOT_FOUND, WRONG_STATE (the ring, 0). Any thread. Since
   0.1. */
TANDEM_API int tandem_switch_remove_trace(tandem_switch* object, uint64_t id);
/* All that are known as a JSON array, the ring of the latest calls first. Any thread. Since 0.1. */
TANDEM_API int tandem_switch_traces(const tandem_switch* object, tandem_text** json);
/* The calls of one as a JSON array without their messages, newest first. Errors: NOT_FOUND. Any
   thread. Since 0.1. */
TANDEM_API int tandem_switch_traced_calls(const tandem_switch* object, uint64_t id,
                                          tandem_text** json);
/* One call. `format`: "ladder", "messages" (a ladder with them), "json", or "pcap", which is a
   capture file and no text: tandem_text_size() says how long it is. Errors: NOT_FOUND,
   INVALID_ARGUMENT (format). Any thread. Since 0.1. */
TANDEM_API int tandem_switch_traced_call(const tandem_switch* object, uint64_t id, uint64_t call,
                                         const char* format, tandem_text** out);

/* Provisioned objects: what stands in the lists of `provision` ("accounts", "rate_decks",
   "customer_gateways", ...). What is put survives a restart; the objects of the configuration are
   laid over it at each start and reload, rates of a deck when it has others than before. New calls
   see a change whole, running ones keep what they have. All may wait for the disk and for tables to
   be built. */

/* The objects of a list as a JSON array in order of id; decks without rates. Errors: NOT_FOUND (no
   such list). Since 0.1. */
TANDEM_API int tandem_switch_objects(const tandem_switch* object, const char* kind,
                                     tandem_text** json);
/* One as a JSON object; a deck with its rates. Errors: NOT_FOUND. Since 0.1. */
TANDEM_API int tandem_switch_object(const tandem_switch* object, const char* kind, const char* id,
                                    tandem_text** json);
/* Creates or replaces one. *created (NULL: not wanted): 1 when it was not there. Errors:
   INVALID_ARGUMENT (the message begins with a JSON pointer into `json`), NOT_FOUND (no such list),
   WRONG_STATE (something else would be wrong then), IO; then nothing changed. Since 0.1. */
TANDEM_API int tandem_switch_put_object(tandem_switch* object, const char* kind, const char* id,
                                        const char* json, int32_t* created);
/* Errors: NOT_FOUND, WRONG_STATE (something refers to it), IO. Since 0.1. */
TANDEM_API int tandem_switch_remove_object(tandem_switch* object, const char* kind, const char* id);

/* An object of a change, or the name of one. */
typedef struct tandem_provisioned_object {
  size_t struct_size;
  const char* kind;
  const char* id;    /* NULL: the one that `json` has */
  const char* json;  /* of what is put; NULL with `rates`: as it was */
  const char* rates; /* of a rate deck, instead of a key `rates`: CSV or a JSON array; NULL: none */
} tandem_provisioned_object;
#define TANDEM_PROVISIONED_OBJECT_INIT \
  { sizeof(tandem_provisioned_object), NULL, NULL, NULL, NULL }

/* Changes that are made together or not at all. */
typedef struct tandem_provision_change {
  size_t struct_size;
  const tandem_provisioned_object* const* puts; /* created, or replaced whole */
  size_t puts_count;
  const tandem_provisioned_object* const* removals; /* by kind and id */
  size_t removals_count;
  int64_t valid_from_us; /* of the rates of decks that are put; 0: at once */
  const char* memo;      /* of their new versions; NULL: the deck's */
  int32_t dry_run;       /* 1: only looks whether it could be done */
} tandem_provision_change;
#define TANDEM_PROVISION_CHANGE_INIT \
  { sizeof(tandem_provision_change), NULL, 0, NULL, 0, 0, NULL, 0 }

typedef struct tandem_provision_outcome {
  size_t struct_size;
  uint64_t created;
  uint64_t replaced;
  uint64_t removed;
} tandem_provision_outcome;
#define TANDEM_PROVISION_OUTCOME_INIT \
  { sizeof(tandem_provision_outcome), 0, 0, 0 }

/* *outcome (NULL: not wanted) gets what was done, in a dry run what would be. *faults (NULL: not
   wanted) gets every reason why it was not done: a JSON array of {"code", "index", "pointer",
   "message"}, `index` of the object, puts before removals; "[]" when it was; NULL when nothing was
   tried, because an argument was wrong. It is the caller's to destroy, whatever the function
   returns. Errors: those of the first fault, as of tandem_switch_put_object(). Since 0.1. */
TANDEM_API int tandem_switch_change_objects(tandem_switch* object,
                                            const tandem_provision_change* change,
                                            tandem_provision_outcome* outcome,
                                            tandem_text** faults);

/* Objects of a list as CSV: a header line with keys, then an object a line (docs/admin-api.md);
   decks without rates. Errors: NOT_FOUND (no such list). Since 0.1. */
TANDEM_API int tandem_switch_objects_csv(const tandem_switch* object, const char* kind,
                                         tandem_text** csv);
/* Puts every object of such a text, which may also be of "gateways" with a column `kind`, or none;
   `dry_run`, `outcome` and `faults` as of tandem_switch_change_objects(). Errors: as there, and
   INVALID_ARGUMENT (names row and column). Since 0.1. */
TANDEM_API int tandem_switch_put_objects_csv(tandem_switch* object, const char* kind,
                                             const char* csv, int32_t dry_run,
                                             tandem_provision_outcome* outcome,
                                             tandem_text** faults);

/* The rates of a deck as CSV. Errors: NOT_FOUND. Since 0.1. */
TANDEM_API int tandem_switch_rates_csv(const tandem_switch* object, const char* deck,
                                       tandem_text** csv);
/* Replaces the rates of a deck, which is made when it is not there. They are a new version, active
   from `valid_from_us` on; 0: at once. `memo`: of the version; NULL for none. Errors:
   INVALID_ARGUMENT (names row and column), LIMIT, IO. Since 0.1. */
TANDEM_API int tandem_switch_put_rates(tandem_switch* object, const char* deck, const char* csv,
                                       int64_t valid_from_us, const char* memo);

enum {
  TANDEM_PROVISION_IDLE = 0,    /* nothing is changed */
  TANDEM_PROVISION_READING = 1, /* objects and rates; the one step with figures */
  TANDEM_PROVISION_BUILDING = 2,
  TANDEM_PROVISION_TABLES = 3,
  TANDEM_PROVISION_STORING = 4
};

typedef struct tandem_provision_progress {
  size_t struct_size;
  int32_t step;         /* TANDEM_PROVISION_*; they follow in this order */
  uint64_t done_bytes;  /* of the CSV of rates that are put */
  uint64_t total_bytes; /* of all of it; 0: there is none, or nothing is changed */
} tandem_provision_progress;
#define TANDEM_PROVISION_PROGRESS_INIT \
  { sizeof(tandem_provision_progress), 0, 0, 0 }

/* How far the change of provisioned objects has come that another thread makes now. Does not wait.
   Since 0.1. */
TANDEM_API int tandem_switch_provision_progress(const tandem_switch* object,
                                                tandem_provision_progress* out);

/* Versions of a deck as a JSON array, newest first. Errors: NOT_FOUND, IO. Since 0.1. */
TANDEM_API int tandem_switch_deck_versions(const tandem_switch* object, const char* deck,
                                           tandem_text** json);
/* Makes an earlier version active; 0: the newest that was active before the active one. Errors:
   NOT_FOUND, WRONG_STATE (its prices are in another currency than the deck's), IO. Since 0.1. */
TANDEM_API int tandem_switch_roll_back_deck(tandem_switch* object, const char* deck,
                                            uint64_t number);
/* When a version shall become active; 0: not any more. Errors: NOT_FOUND, WRONG_STATE (it is
   active, or its prices are in another currency than the deck's), IO. Since 0.1. */
TANDEM_API int tandem_switch_schedule_deck(tandem_switch* object, const char* deck, uint64_t number,
                                           int64_t at_us);
/* What changes from one version to another: JSON with at most `rows_max` (0..100,000) rows of each
   kind. Errors: NOT_FOUND, INVALID_ARGUMENT, IO. Since 0.1. */
TANDEM_API int tandem_switch_deck_diff(const tandem_switch* object, const char* deck, uint64_t from,
                                       uint64_t to, size_t rows_max, tandem_text** json);

enum {
  TANDEM_TRANSPORT_UDP = 0,
  TANDEM_TRANSPORT_TCP = 1,
  TANDEM_TRANSPORT_TLS = 2,
  TANDEM_TRANSPORT_WS = 3, /* WebSocket */
  TANDEM_TRANSPORT_WSS = 4 /* the same over TLS */
};
/* Where SIP is heard, with the ports really taken, in the order of the configuration. `transport`:
   NULL when not wanted. Errors: NOT_FOUND (index). Since 0.1. */
TANDEM_API int tandem_switch_listening(const tandem_switch* object, size_t index,
                                       tandem_address* address, int32_t* transport);

/* ---- Admin API over HTTP -------------------------------------------------------------------- */

typedef struct tandem_admin_server tandem_admin_server; /* one thread at a time */

/* Serves the admin API where `admin.listen` of the configuration says; without it serves nothing.
   Destroy it before the switch. Errors: ALREADY_EXISTS (address in use), IO, INVALID_ARGUMENT.
   Since 0.1. */
TANDEM_API int tandem_admin_server_create(const tandem_config* config, tandem_switch* served,
                                          tandem_admin_server** out);
/* Where it really listens; "" and 0 when it serves nothing. Since 0.1. */
TANDEM_API int tandem_admin_server_address(const tandem_admin_server* server, tandem_address* out);
TANDEM_API void tandem_admin_server_destroy(tandem_admin_server* server); /* Since 0.1. */

/* ---- Test kit: calls in virtual time --------------------------------------------------------- */

/* Network, clock and disk of a simulation, and all that lives in it: an hour of calls takes
   seconds, and equal seeds give equal runs. One thread at a time; callbacks run inside the run
   functions on the thread that called them. */
typedef struct tandem_world tandem_world;
typedef struct tandem_endpoint tandem_endpoint; /* belongs to its world; never destroyed alone */
typedef struct tandem_endpoint_call tandem_endpoint_call;

/* Encryption of an endpoint's media (SDES): none, offered or taken, insisted on. */
enum { TANDEM_SIM_SRTP_OFF = 0, TANDEM_SIM_SRTP_OPTIONAL = 1, TANDEM_SIM_SRTP_REQUIRED = 2 };

/* How an endpoint makes a call. Texts may be NULL. */
typedef struct tandem_dial_plan {
  size_t struct_size;
  const char* destination; /* "IP:PORT"; NULL: the peer of the endpoint */
  const char* username;    /* answer a digest challenge */
  const char* password;
  int32_t send_rtp;
  int64_t cancel_after_us;  /* CANCEL so long after the INVITE; -1: no */
  int64_t hang_up_after_us; /* BYE so long after the answer; -1: no */
  const char* transport;    /* "udp" (NULL), "tcp", "tls", "ws", "wss" */
  const char* display;      /* display name of the From */
  const char* sdp;          /* offer; NULL: one G.711 stream at a port of the endpoint */
  const char* content_type; /* of `sdp`; NULL: application/sdp */
  const char* formats;      /* of its own description; NULL: "0 8 101" */
  const char* headers;      /* further ones of the INVITE, "Name: value", a line each */
  const char* replaces;     /* tandem_endpoint_call_replaces() (RFC 3891) */
  const char* rn;           /* with `npdi`: where the number is (RFC 4694) */
  int32_t npdi;             /* the Request-URI says that the number was looked up */
  int32_t requires_replaces;
  int32_t delayed_offer;   /* the INVITE has none, the 200 brings it */
  int32_t ptime_ms;        /* 10..200; 0: 20 */
  int32_t rtp_pattern;     /* every byte of the payload, 1..255; 0: 0xD5 */
  int32_t rtp_type;        /* payload type of what it sends, 0..127 */
  int32_t max_forwards;    /* 1..255; 0: 70 */
  int32_t session_timer_s; /* 90..7200 (RFC 4028); 0: it speaks none */
  int32_t rel100;          /* takes provisional responses reliably (RFC 3262) ... */
  int32_t requires_rel100; /* ... and wants them so */
  int32_t srtp;            /* TANDEM_SIM_SRTP_* */
  int32_t dtls;      /* `srtp` by keys of DTLS-SRTP, as a browser, and not of its description */
  int32_t dtls_ice;  /* ... with ICE as a full agent */
  int32_t dtls_role; /* TANDEM_DTLS_*; NONE: as the other end likes */
  int32_t dtls_other_certificate; /* than it describes */
  int32_t ice_wrong_password;     /* in its checks */
} tandem_dial_plan;
#define TANDEM_DIAL_PLAN_INIT                                                                  \
  {                                                                                            \
    sizeof(tandem_dial_plan), NULL, NULL, NULL, 0, -1, -1, NULL, NULL, NULL, NULL, NULL, NULL, \
        NULL, NULL, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0                             \
  }

/* What an endpoint does with a call that arrives; times count from the arrival. */
typedef struct tandem_answer_plan {
  size_t struct_size;
  int32_t is_silent;         /* says nothing at all */
  int32_t status;            /* 200 answers, 300..699 refuses */
  int64_t ring_after_us;     /* 180; -1: no */
  int64_t progress_after_us; /* 183 with a description; -1: no */
  int64_t answer_after_us;   /* 200, or `status` */
  int64_t hang_up_after_us;  /* BYE so long after the answer; -1: no */
  int32_t send_rtp;
  const char* sdp;      /* NULL: one G.711 stream at a port of the endpoint */
  const char* formats;  /* NULL: "0 8 101" */
  const char* username; /* not NULL: the caller must authenticate (401) */
  const char* password;
  const char* realm;            /* NULL: "vendor" */
  const char* headers;          /* of the 200 or the refusal, "Name: value", a line each */
  int32_t ring_with_sdp;        /* the 180 carries a description */
  int32_t progress_status;      /* 101..199; 0: 183 */
  int32_t progress_without_sdp; /* that response carries none */
  int32_t answer_without_sdp;   /* the 200 has no body: what the 18x said holds */
  int32_t q850_cause;           /* Reason of a refusal (RFC 3326); 0: none */
  int32_t retry_after_s;        /* of a refusal; 0: none */
  int32_t ptime_ms;             /* 10..200; 0: 20 */
  int32_t rtp_pattern;          /* every byte of the payload, 1..255; 0: 0x2A */
  int32_t rtp_type;
  int32_t session_timer_s; /* as of a dial plan */
  int32_t rel100;          /* sends them reliably to who can take it so; ... */
  int32_t requires_rel100; /* ... others are refused with 421 */
  int32_t srtp;            /* TANDEM_SIM_SRTP_* */
  int32_t dtls;            /* these five as of a dial plan */
  int32_t dtls_ice;
  int32_t dtls_role;
  int32_t dtls_other_certificate;
  int32_t ice_wrong_password;
} tandem_answer_plan;
#define TANDEM_ANSWER_PLAN_INIT                                                                  \
  {                                                                                              \
    sizeof(tandem_answer_plan), 0, 200, -1, -1, 0, -1, 0, NULL, NULL, NULL, NULL, NULL, NULL, 0, \
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0                                        \
  }

TANDEM_API int tandem_world_create(uint64_t seed, tandem_world** out); /* Since 0.1. */
/* A switch in virtual time, not yet started; destroy it before the world. `hooks` as in
   tandem_switch_create(). Its records also come to tandem_world_cdrs(). tandem_switch_wait_idle()
   is not for it. Since 0.1. */
TANDEM_API int tandem_world_create_switch(tandem_world* world, const tandem_config* config,
                                          const tandem_switch_hooks* hooks, tandem_switch** out);
/* Ends a switch as a loss of power would and destroys it. Since 0.1. */
TANDEM_API int tandem_world_crash(tandem_world* world, tandem_switch* victim);
/* A SIP party with media at `address`, "IP:PORT"; calls that it makes go to `peer` (NULL: it only
   answers). Errors: INVALID_ARGUMENT, ALREADY_EXISTS. Since 0.1. */
TANDEM_API int tandem_world_add_endpoint(tandem_world* world, const char* address, const char* peer,
                                         tandem_endpoint** out);
enum {
  TANDEM_SIM_CERTIFICATE_NONE = 0,
  TANDEM_SIM_CERTIFICATE_ASK = 1, /* one that is shown must be good; none is good too */
  TANDEM_SIM_CERTIFICATE_REQUIRE = 2
};
typedef struct tandem_endpoint_config {
  size_t struct_size;
  const char* address;         /* as of tandem_world_add_endpoint() */
  const char* peer;            /* likewise */
  const char* product;         /* what it calls itself; NULL: "endpoint" */
  const char* tls_certificate; /* file in PEM: it speaks TLS too, at the next port; NULL: not */
  const char* tls_key;         /* of tls_certificate; NULL: it is in the same file */
  const char* tls_ca;          /* authorities of the others; NULL: those of the system */
  const char* tls_name;        /* whom it connects to must be; NULL: the address */
  int32_t tls_not_verified;    /* whoever it connects to will do */
  int32_t client_certificate;  /* of who connects to it, TANDEM_SIM_CERTIFICATE_* */
  int32_t is_browser;          /* it speaks WebSocket too: it connects to port 80 of `peer` */
} tandem_endpoint_config;
#define TANDEM_ENDPOINT_CONFIG_INIT \
  { sizeof(tandem_endpoint_config), NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, 0 }
/* Errors besides those of tandem_world_add_endpoint(): of the certificates. Since 0.1. */
TANDEM_API int tandem_world_add_endpoint_with(tandem_world* world,
                                              const tandem_endpoint_config* config,
                                              tandem_endpoint** out);
/* A server of LRN look-ups at "IP:PORT" (R-20). `kind` as in the configuration: "sip302", "http",
   "enum". What it is not told of it does not know. Belongs to its world. Errors: INVALID_ARGUMENT,
   ALREADY_EXISTS. Since 0.1. */
typedef struct tandem_lrn_server tandem_lrn_server;
TANDEM_API int tandem_world_add_lrn_server(tandem_world* world, const char* address,
                                           const char* kind, tandem_lrn_server** out);
/* Where a number is; NULL: not ported, no region. Since 0.1. */
TANDEM_API int tandem_lrn_server_set(tandem_lrn_server* server, const char* number, const char* lrn,
                                     const char* region);
/* How it answers from now on: so late, every question with that status (0: as usual), or none.
   Since 0.1. */
TANDEM_API int tandem_lrn_server_behave(tandem_lrn_server* server, int64_t delay_us, int32_t status,
                                        int32_t is_silent);
/* Numbers in the order in which they were asked for, a line each. Since 0.1. */
TANDEM_API int tandem_lrn_server_asked(const tandem_lrn_server* server, tandem_text** lines);
/* A name server at "IP" or "IP:PORT", over UDP and TCP. Belongs to its world. Errors:
   INVALID_ARGUMENT, ALREADY_EXISTS. Since 0.1. */
typedef struct tandem_dns_server tandem_dns_server;
TANDEM_API int tandem_world_add_dns_server(tandem_world* world, const char* address,
                                           tandem_dns_server** out);
/* The records of `type` (A, AAAA, CNAME, SRV, NAPTR) of a name are these now, in the words of a
   zone file, a line each; NULL: the name is there without any. Errors: INVALID_ARGUMENT. Since 0.1.
 */
TANDEM_API int tandem_dns_server_set(tandem_dns_server* server, const char* name, const char* type,
                                     const char* data, uint32_t ttl_s);
TANDEM_API int tandem_dns_server_forget(tandem_dns_server* server,
                                        const char* name); /* Since 0.1. */
typedef struct tandem_dns_manners {
  size_t struct_size;
  const char* forged_address; /* a forger answers every question for A first with it; NULL: none */
  int32_t code;               /* of every answer, 2: SERVFAIL; 0: as usual */
  int32_t is_silent;          /* it takes questions and answers none */
  int32_t is_truncating;      /* over UDP nothing fits */
  int32_t keeps_aliases;      /* of a CNAME it says where it leads, no more */
  uint32_t negative_ttl_s;    /* of the SOA record; 0: 30 */
} tandem_dns_manners;
#define TANDEM_DNS_MANNERS_INIT \
  { sizeof(tandem_dns_manners), NULL, 0, 0, 0, 0, 0 }
/* How it answers from now on. Errors: INVALID_ARGUMENT. Since 0.1. */
TANDEM_API int tandem_dns_server_behave(tandem_dns_server* server,
                                        const tandem_dns_manners* manners);
/* "name TYPE" of every question in order, " tcp" behind it over TCP, a line each. Since 0.1. */
TANDEM_API int tandem_dns_server_asked(const tandem_dns_server* server, tandem_text** lines);
/* A UDP port of raw bytes at "IP:PORT". Belongs to its world. Errors: INVALID_ARGUMENT,
   ALREADY_EXISTS. Since 0.1. */
typedef struct tandem_raw_endpoint tandem_raw_endpoint;
TANDEM_API int tandem_world_add_raw_endpoint(tandem_world* world, const char* address,
                                             tandem_raw_endpoint** out);
/* To "IP:PORT". Since 0.1. */
TANDEM_API int tandem_raw_endpoint_send(tandem_raw_endpoint* endpoint, const char* to,
                                        const void* bytes, size_t count);
/* Datagrams that came; 0 for NULL. Since 0.1. */
TANDEM_API size_t tandem_raw_endpoint_received(const tandem_raw_endpoint* endpoint);
/* One of them: where it came from, when (monotonic), its bytes; results may be NULL. The bytes end
   with the next run of the world or tandem_raw_endpoint_clear(). Errors: NOT_FOUND. Since 0.1. */
TANDEM_API int tandem_raw_endpoint_datagram(const tandem_raw_endpoint* endpoint, size_t index,
                                            tandem_address* from, int64_t* at_us,
                                            const void** bytes, size_t* count);
TANDEM_API void tandem_raw_endpoint_clear(tandem_raw_endpoint* endpoint); /* Since 0.1. */
/* Since 0.1. */
TANDEM_API int tandem_world_run_for(tandem_world* world, int64_t us);
/* Runs until `done` gives anything but 0; it is asked before the first and after every turn, on
   this thread, and may not run the world. Errors: TIMEOUT. Since 0.1. */
TANDEM_API int tandem_world_run_until(tandem_world* world, int (*done)(void* user), void* user,
                                      int64_t limit_us);
/* Moves the wall clock alone, either way. Since 0.1. */
TANDEM_API int tandem_world_step_wall(tandem_world* world, int64_t step_us);
/* Between two addresses, both ways; heal takes it back. Errors: INVALID_ARGUMENT, LIMIT. Since 0.1.
 */
TANDEM_API int tandem_world_partition(tandem_world* world, const char* a, const char* b);
TANDEM_API int tandem_world_heal(tandem_world* world, const char* a, const char* b);
/* Hash over all that was delivered so far: equal runs have equal ones; 0 for NULL. Since 0.1. */
TANDEM_API uint64_t tandem_world_trace_hash(const tandem_world* world);
/* Keeps a copy of every datagram from now on, up to `bytes_max`; 0 ends it. Since 0.1. */
TANDEM_API int tandem_world_capture(tandem_world* world, size_t bytes_max);
/* Errors: IO. Since 0.1. */
TANDEM_API int tandem_world_write_pcap(const tandem_world* world, const char* path);
enum { /* what became of a datagram when it was sent */
       TANDEM_SIM_FATE_SENT = 0,
       TANDEM_SIM_FATE_LOST = 1,
       TANDEM_SIM_FATE_FILTERED = 2,
       TANDEM_SIM_FATE_PARTITIONED = 3,
       TANDEM_SIM_FATE_TOO_LONG = 4
};
typedef struct tandem_sim_datagram {
  size_t struct_size;
  tandem_address from, to;
  int64_t at_us;     /* monotonic, of its sending */
  const void* bytes; /* end with the call */
  size_t count;
  int32_t fate; /* TANDEM_SIM_FATE_*; SENT when it is asked whether it shall be lost */
} tandem_sim_datagram;
/* Datagrams for which `drops` gives anything but 0 are lost; NULL: none. Each is shown to `tap` at
   its sending; NULL: to nobody. Both are called in the run functions, may not run the world, and
   `user` stays the caller's. Since 0.1. */
TANDEM_API int tandem_world_drop_if(tandem_world* world,
                                    int (*drops)(const tandem_sim_datagram* datagram, void* user),
                                    void* user);
TANDEM_API int tandem_world_set_tap(tandem_world* world,
                                    void (*tap)(const tandem_sim_datagram* datagram, void* user),
                                    void* user);
/* Datagrams and streams so far. */
typedef struct tandem_network_counters {
  size_t struct_size;
  uint64_t sent, delivered;
  uint64_t lost, filtered, partitioned, too_long; /* as their fate was */
  uint64_t cut, duplicated, reordered;
  uint64_t unreachable;   /* nobody owned the port */
  uint64_t undeliverable; /* who owned it was stopped */
  uint64_t streams_opened, streams_refused, stream_bytes;
} tandem_network_counters;
#define TANDEM_NETWORK_COUNTERS_INIT \
  { sizeof(tandem_network_counters), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }
TANDEM_API int tandem_world_count(const tandem_world* world,
                                  tandem_network_counters* out); /* Since 0.1. */
/* While full, every write fails as a full disk's does. Since 0.1. */
TANDEM_API int tandem_world_set_disk_full(tandem_world* world, int32_t is_full);
/* Content of a file on the world's disk. Errors: NOT_FOUND. Since 0.1. */
TANDEM_API int tandem_world_read_file(const tandem_world* world, const char* path,
                                      tandem_text** out);
TANDEM_API int tandem_world_clear_cdrs(tandem_world* world); /* Since 0.1. */
/* Runs until no call, dialog or transaction is left and every record is in tandem_world_cdrs().
   Errors: TIMEOUT (`limit_us` of virtual time passed). Since 0.1. */
TANDEM_API int tandem_world_run_until_idle(tandem_world* world, int64_t limit_us);
/* What the network does with what goes one way; the initialiser: 0.5 ms, nothing is lost. */
typedef struct tandem_link_settings {
  size_t struct_size;
  int64_t delay_us;
  int64_t jitter_us;      /* uniform 0..jitter on top of the delay */
  int32_t loss_per_mille; /* 0..1000 */
  int32_t duplicate_per_mille;
  int32_t reorder_per_mille;
  int32_t mtu_bytes;   /* longer datagrams are lost; 0: none */
  int32_t partitioned; /* nothing passes */
} tandem_link_settings;
#define TANDEM_LINK_SETTINGS_INIT \
  { sizeof(tandem_link_settings), 500, 0, 0, 0, 0, 0, 0 }
/* Between addresses without a rule of their own. Errors: INVALID_ARGUMENT. Since 0.1. */
TANDEM_API int tandem_world_set_default_link(tandem_world* world, const tandem_link_settings* link);
/* For what goes from `from` to `to`, each "IP", "IP:PORT" or NULL for every address. Of several
   rules that fit the one set last holds. Errors: INVALID_ARGUMENT, LIMIT (4,096 rules). Since 0.1.
 */
TANDEM_API int tandem_world_set_link(tandem_world* world, const char* from, const char* to,
                                     const tandem_link_settings* link);
TANDEM_API int tandem_world_clear_links(tandem_world* world); /* Since 0.1. */
/* Time of the world: monotonic, or since 1970 UTC; 0 for NULL. Since 0.1. */
TANDEM_API int64_t tandem_world_monotonic_us(const tandem_world* world);
TANDEM_API int64_t tandem_world_wall_us(const tandem_world* world);
/* Records of all switches in order of release, a JSON object a line. Since 0.1. */
TANDEM_API int tandem_world_cdrs(const tandem_world* world, tandem_text** json_lines);
TANDEM_API void tandem_world_destroy(tandem_world* world); /* Since 0.1. */

/* For calls to `callee`; NULL: for every number without a plan of its own. Since 0.1. */
TANDEM_API int tandem_endpoint_set_plan(tandem_endpoint* endpoint, const char* callee,
                                        const tandem_answer_plan* plan);
/* Sends an INVITE in the next turn. `plan`: NULL for none. Since 0.1. */
TANDEM_API int tandem_endpoint_dial(tandem_endpoint* endpoint, const char* callee,
                                    const char* caller, const tandem_dial_plan* plan,
                                    tandem_endpoint_call** out);
/* Registers `user` at the endpoint's peer; once more is a refresh, `expires_s` 0 takes it back.
   Since 0.1. */
TANDEM_API int tandem_endpoint_register(tandem_endpoint* endpoint, const char* user,
                                        const char* password, int32_t expires_s);
/* Final status of the last REGISTER of `user`; 0: none came yet, and for NULL. Since 0.1. */
TANDEM_API int32_t tandem_endpoint_registration_status(const tandem_endpoint* endpoint,
                                                       const char* user);
/* Takes registrations of `username` from now on, as a carrier does (R-25). `status`: 200, or
   300..699 to refuse everybody. Since 0.1. */
TANDEM_API int tandem_endpoint_accept_registrations(tandem_endpoint* endpoint, const char* username,
                                                    const char* password, int32_t status,
                                                    int32_t expires_s);
/* Contact that registered last; "": none, or it was taken back. Since 0.1. */
TANDEM_API int tandem_endpoint_registered_contact(const tandem_endpoint* endpoint,
                                                  tandem_text** out);
/* Messages on UDP with that label or the first word of it, "INVITE", "200 BYE", "180"; 0 for NULL.
   Since 0.1. */
TANDEM_API uint64_t tandem_endpoint_sent(const tandem_endpoint* endpoint, const char* what);
TANDEM_API uint64_t tandem_endpoint_received(const tandem_endpoint* endpoint, const char* what);
TANDEM_API int tandem_endpoint_clear_ladder(tandem_endpoint* endpoint); /* Since 0.1. */
/* What it counted; only grows but for what is live. */
typedef struct tandem_endpoint_counters {
  size_t struct_size;
  uint64_t calls_out, calls_in;
  uint64_t answered; /* both directions */
  uint64_t refused;  /* ended without an answer */
  uint64_t released; /* ended after an answer */
  uint64_t calls_live;
  uint64_t packets_sent, packets_received; /* RTP */
  uint64_t dialogs_live, transactions_live;
} tandem_endpoint_counters;
#define TANDEM_ENDPOINT_COUNTERS_INIT \
  { sizeof(tandem_endpoint_counters), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }
TANDEM_API int tandem_endpoint_count(const tandem_endpoint* endpoint,
                                     tandem_endpoint_counters* out); /* Since 0.1. */
/* Nothing comes from it or reaches it any more, as when its power is cut; 0: it is back. Since 0.1.
 */
TANDEM_API int tandem_endpoint_set_silent(tandem_endpoint* endpoint, int32_t is_silent);
/* The last call that it made or got. Errors: NOT_FOUND. Since 0.1. */
TANDEM_API int tandem_endpoint_last_call(const tandem_endpoint* endpoint,
                                         tandem_endpoint_call** out);
/* Messages on one line, sent ones with '>', received ones with '<'. Since 0.1. */
TANDEM_API int tandem_endpoint_ladder(const tandem_endpoint* endpoint, tandem_text** out);

enum {
  TANDEM_CALL_BEGUN = 0,
  TANDEM_CALL_RINGING = 1,
  TANDEM_CALL_ANSWERED = 2,
  TANDEM_CALL_OVER = 3
};
/* TANDEM_CALL_*; OVER for NULL. Since 0.1. */
TANDEM_API int32_t tandem_endpoint_call_state(const tandem_endpoint_call* call);
/* Final status; 0: none came or was sent yet. Since 0.1. */
TANDEM_API int32_t tandem_endpoint_call_status(const tandem_endpoint_call* call);
TANDEM_API int tandem_endpoint_call_hang_up(tandem_endpoint_call* call); /* Since 0.1. */
/* The same with a Reason header (RFC 3326); 0: without. Since 0.1. */
TANDEM_API int tandem_endpoint_call_hang_up_with(tandem_endpoint_call* call, int32_t q850_cause);
TANDEM_API int tandem_endpoint_call_cancel(tandem_endpoint_call* call); /* Since 0.1. */
/* Of a call that arrived, beside its plan. Since 0.1. */
TANDEM_API int tandem_endpoint_call_ring(tandem_endpoint_call* call, int32_t status,
                                         int32_t with_sdp);
TANDEM_API int tandem_endpoint_call_answer(tandem_endpoint_call* call);
TANDEM_API int tandem_endpoint_call_reject(tandem_endpoint_call* call, int32_t status,
                                           int32_t q850_cause, int32_t retry_after_s);
/* Requests inside the dialog: re-INVITE and UPDATE with a description (NULL: what was sent last),
   any other method with a body (`content_type` NULL: without one). They are answered in later
   turns; tandem_endpoint_call_events() tells how. Since 0.1. */
TANDEM_API int tandem_endpoint_call_reinvite(tandem_endpoint_call* call, const char* sdp);
TANDEM_API int tandem_endpoint_call_update(tandem_endpoint_call* call, const char* sdp);
TANDEM_API int tandem_endpoint_call_request(tandem_endpoint_call* call, const char* method,
                                            const char* content_type, const char* body);
TANDEM_API int tandem_endpoint_call_hold(tandem_endpoint_call* call);   /* Since 0.1. */
TANDEM_API int tandem_endpoint_call_resume(tandem_endpoint_call* call); /* Since 0.1. */
TANDEM_API int tandem_endpoint_call_reinvite_without_offer(tandem_endpoint_call* call);
/* REFER (RFC 3515): to what Refer-To says, or to the other party of `to` (RFC 3891). Since 0.1. */
TANDEM_API int tandem_endpoint_call_refer(tandem_endpoint_call* call, const char* target);
TANDEM_API int tandem_endpoint_call_refer_to(tandem_endpoint_call* call,
                                             const tandem_endpoint_call* to);
/* For `replaces` of a dial plan: takes this end's place in the switch; "": the call is over. Since
   0.1. */
TANDEM_API int tandem_endpoint_call_replaces(const tandem_endpoint_call* call, tandem_text** out);
/* How it answers later re-INVITEs and UPDATEs, with what description (NULL: as its plan says), and
   other requests. Since 0.1. */
TANDEM_API int tandem_endpoint_call_set_reoffer(tandem_endpoint_call* call, int32_t status,
                                                const char* sdp);
TANDEM_API int tandem_endpoint_call_set_request_status(tandem_endpoint_call* call, int32_t status);
/* Presses a key in RTP (RFC 4733, payload type 101). Since 0.1. */
TANDEM_API int tandem_endpoint_call_press_key(tandem_endpoint_call* call, char key,
                                              uint32_t duration_ms);
TANDEM_API int tandem_endpoint_call_start_rtp(tandem_endpoint_call* call); /* Since 0.1. */
TANDEM_API int tandem_endpoint_call_stop_rtp(tandem_endpoint_call* call);  /* Since 0.1. */
TANDEM_API int tandem_endpoint_call_rekey(tandem_endpoint_call* call); /* new keys. Since 0.1. */

/* A call as its endpoint sees it. Texts live as long as the handle and the state that they tell of:
   until the world runs again. */
typedef struct tandem_endpoint_call_view {
  size_t struct_size;
  const char *call_id, *caller, *display, *callee, *product;
  const char* rn;      /* of the Request-URI of an arriving INVITE (RFC 4694) */
  int32_t npdi;        /* likewise */
  int32_t is_answered; /* it is, or was */
  int32_t q850_cause;  /* of the Reason header that ended it; 16 for a BYE without one */
  int32_t retry_after_s;
  const char *local_sdp, *remote_sdp; /* sent and received last */
  const char* last_body;              /* of the last request or its response */
  const char* received_keys;          /* telephone events of payload type 101 */
  int32_t received_type;              /* payload type of the last RTP packet; -1: none came */
  int32_t received_pattern;           /* its last byte; -1 */
  int32_t is_encrypted;               /* both ends have keys */
  uint64_t srtp_failures;             /* packets that its key did not fit */
} tandem_endpoint_call_view;
#define TANDEM_ENDPOINT_CALL_VIEW_INIT                                                             \
  {                                                                                                \
    sizeof(tandem_endpoint_call_view), NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, 0, 0, NULL, NULL, \
        NULL, NULL, 0, 0, 0, 0                                                                     \
  }
TANDEM_API int tandem_endpoint_call_look(const tandem_endpoint_call* call,
                                         tandem_endpoint_call_view* out); /* Since 0.1. */
/* Header lines of an arriving INVITE, or of the final response to ours, "Name: value", beyond
   dialog, routing and content. Since 0.1. */
TANDEM_API int tandem_endpoint_call_headers(const tandem_endpoint_call* call, tandem_text** lines);
/* What happened to the call, a line each: "180", "answer", "update", "INFO", "result 200", ...
   Since 0.1. */
TANDEM_API int tandem_endpoint_call_events(const tandem_endpoint_call* call, tandem_text** lines);
/* RTP packets sent and received; either result may be NULL. Since 0.1. */
TANDEM_API int tandem_endpoint_call_packets(const tandem_endpoint_call* call, uint64_t* sent,
                                            uint64_t* received);
/* Forgets the handle; the call goes on. Since 0.1. */
TANDEM_API void tandem_endpoint_call_destroy(tandem_endpoint_call* call);

#ifdef __cplusplus
}
#endif

#endif
