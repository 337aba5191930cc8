// Questions to stored records: pages, cursors and reports.
#include <cstddef>
#include <optional>
#include <utility>

#include "capi/config.hpp"
#include "capi/values.hpp"
#include "tandem/call_reports.hpp"

template <>
inline constexpr std::size_t tandem::capi::first_struct_bytes<tandem_cdr_query> =
    offsetof(tandem_cdr_query, caller_in);

using namespace tandem;
using namespace tandem::capi;

struct tandem_cdr_cursor {
  CdrCursor cursor;
  std::size_t left;  // records that the query's limit allows
  std::optional<Cdr> record;
  std::optional<CdrView> view;
};

namespace tandem::capi {
namespace {

Error out_of_range(const char* member, std::int64_t value) {
  return Error{ErrorCode::invalid_argument,
               std::string(member) + " " + std::to_string(value) + " is none of its values"};
}

/// 0: any, 1: true, -1: false.
Result<void> read_choice(std::int32_t value, const char* member, std::optional<bool>& out) {
  if (value < -1 || value > 1) return out_of_range(member, value);
  if (value != 0) out = value == 1;
  return {};
}

Result<void> read_filter(const tandem_cdr_query& read, CdrFilter& filter) {
  if (read.since_us != 0) filter.since_us = read.since_us;
  if (read.until_us != 0) filter.until_us = read.until_us;
  filter.caller = copy(read.caller);
  filter.callee = copy(read.callee);
  filter.reason = copy(read.reason);
  filter.caller_in = copy(read.caller_in);
  filter.caller_billing = copy(read.caller_billing);
  filter.caller_out = copy(read.caller_out);
  filter.callee_in = copy(read.callee_in);
  filter.callee_billing = copy(read.callee_billing);
  filter.callee_out = copy(read.callee_out);
  filter.account = copy(read.account);
  filter.vendor_account = copy(read.vendor_account);
  filter.agent_account = copy(read.agent_account);
  filter.customer_gateway = copy(read.customer_gateway);
  filter.vendor_gateway = copy(read.vendor_gateway);
  filter.call_id = copy(read.call_id);
  filter.rate_prefix = copy(read.rate_prefix);
  if (read.sip_status != 0) filter.sip_status = read.sip_status;
  if (read.release_side < 0 || read.release_side > 3)
    return out_of_range("release_side", read.release_side);
  if (read.release_side != 0) filter.release_side = static_cast<ReleaseSide>(read.release_side - 1);
  if (auto done = read_choice(read.answered, "answered", filter.is_answered); !done) return done;
  if (auto done = read_choice(read.free_of_charge, "free_of_charge", filter.is_free); !done)
    return done;
  if (read.talk_min_ms != 0) filter.talk_min_ms = read.talk_min_ms;
  if (read.talk_max_ms != 0) filter.talk_max_ms = read.talk_max_ms;
  if (read.skip_archived != 0 && read.skip_archived != 1)
    return out_of_range("skip_archived", read.skip_archived);
  filter.skips_archived = read.skip_archived == 1;
  return {};
}

/// Reads the query, asks for a cursor and gives it.
template <class Ask>
int give_cursor(const tandem_cdr_query* query, tandem_cdr_cursor** out, Ask&& ask) {
  TANDEM_CAPI_NOT_NULL(out);
  const auto read = read_cdr_query(query);
  TANDEM_CAPI_TRY(read);
  auto cursor = ask(*read);
  TANDEM_CAPI_TRY(cursor);
  const bool is_limited = query != nullptr && query->limit != 0;
  *out = new tandem_cdr_cursor{std::move(*cursor), is_limited ? read->limit : SIZE_MAX, {}, {}};
  return TANDEM_OK;
}

struct ReportQuestion {
  CallReportRequest request;
  std::string format;
};

Result<ReportQuestion> read_report(const tandem_call_report_request* given) {
  const auto read = read_struct(given, "tandem_call_report_request");
  if (!read) return read.error();
  ReportQuestion question;
  CallReportRequest& request = question.request;
  const auto kind = call_report_from_name(view(read->name));
  if (!kind)
    return Error{ErrorCode::invalid_argument, "no report \"" + copy(read->name) + "\" is known"};
  request.kind = *kind;
  if (read->filter != nullptr) {
    auto query = read_cdr_query(read->filter);
    if (!query) return query.error();
    request.filter = *query;
    if (read->filter->limit != 0) request.limit = query->limit;
  }
  if (read->by != nullptr) {
    if (auto set = set_report_option(request, "by", read->by); !set) return set.error();
  }
  if (read->timezone != nullptr) {
    if (auto set = set_report_option(request, "timezone", read->timezone); !set) return set.error();
  }
  request.is_vendor = read->vendor_side != 0;
  GhostRules& ghost = request.ghost;
  if (read->ghost_long_s != 0) ghost.long_s = read->ghost_long_s;
  ghost.tiny_fee = Amount::from_units(read->ghost_tiny_fee_units);
  if (read->ghost_calls_min != 0) ghost.calls_min = read->ghost_calls_min;
  if (read->ghost_cluster_percent != 0) ghost.cluster_percent = read->ghost_cluster_percent;
  if (read->ghost_same_duration_s != 0) ghost.same_duration_s = read->ghost_same_duration_s;
  if (read->ghost_acd_factor != 0) ghost.acd_factor = read->ghost_acd_factor;
  question.format = read->format == nullptr ? "json" : read->format;
  if (question.format != "json" && question.format != "csv" && question.format != "table")
    return Error{ErrorCode::invalid_argument,
                 "format \"" + question.format + "\" is not one of json, csv, table"};
  return question;
}

/// Reads the request, asks for the report and gives its text.
template <class Ask>
int give_report(const tandem_call_report_request* request, tandem_text** text, Ask&& ask) {
  TANDEM_CAPI_NOT_NULL(text);
  const auto question = read_report(request);
  TANDEM_CAPI_TRY(question);
  const auto report = ask(question->request);
  TANDEM_CAPI_TRY(report);
  return give(question->format == "csv"     ? to_csv(*report)
              : question->format == "table" ? to_table(*report)
                                            : to_json(*report),
              text);
}

}  // namespace

Result<CdrGuards> read_guards(const tandem_cdr_guards* given) {
  CdrGuards guards;
  if (given == nullptr) return guards;
  const auto read = read_struct(given, "tandem_cdr_guards");
  if (!read) return read.error();
  for (const std::int64_t value : {read->days_max, read->rows_max, read->time_max_ms})
    if (value < -1) return out_of_range("a guard", value);
  if (read->days_max > 0) guards.days_max = read->days_max;
  if (read->rows_max != 0)
    guards.rows_max = read->rows_max < 0 ? 0 : static_cast<std::uint64_t>(read->rows_max);
  if (read->time_max_ms != 0) guards.time_max_ms = read->time_max_ms < 0 ? 0 : read->time_max_ms;
  return guards;
}

Result<CdrQuery> read_cdr_query(const tandem_cdr_query* given) {
  CdrQuery query;
  if (given == nullptr) return query;
  const auto read = read_struct(given, "tandem_cdr_query");
  if (!read) return read.error();
  if (auto done = read_filter(*read, query); !done) return std::move(done).error();
  if (read->before_record_id != 0) query.before_record_id = read->before_record_id;
  if (read->limit != 0) query.limit = read->limit;
  return query;
}

}  // namespace tandem::capi

extern "C" {

int tandem_cdr_store_query(const char* folder, const tandem_cdr_query* query,
                           tandem_text** json_lines) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(folder);
    TANDEM_CAPI_NOT_NULL(json_lines);
    const auto read = read_cdr_query(query);
    TANDEM_CAPI_TRY(read);
    const auto cdrs = CdrStore(std::string(folder)).query(*read);
    TANDEM_CAPI_TRY(cdrs);
    return give(to_json_lines(*cdrs), json_lines);
  });
}

int tandem_cdr_store_cursor(const char* folder, const tandem_cdr_query* query,
                            const tandem_cdr_guards* guards, tandem_cdr_cursor** out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(folder);
    const auto limits = read_guards(guards);
    TANDEM_CAPI_TRY(limits);
    return give_cursor(query, out, [&](const CdrQuery& read) {
      return CdrStore(std::string(folder), *limits).cursor(read, read.before_record_id);
    });
  });
}

int tandem_config_cdr_cursor(const tandem_config* config, const tandem_cdr_query* query,
                             tandem_cdr_cursor** out) {
  return guarded([&]() -> int {
    const auto usable = usable_config(config);
    TANDEM_CAPI_TRY(usable);
    return give_cursor(query, out, [&](const CdrQuery& read) {
      return cdr_cursor(**usable, read, read.before_record_id);
    });
  });
}

int tandem_switch_cdr_cursor(const tandem_switch* object, const tandem_cdr_query* query,
                             tandem_cdr_cursor** out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    return give_cursor(query, out, [&](const CdrQuery& read) {
      return object->body->cdr_cursor(read, read.before_record_id);
    });
  });
}

int tandem_cdr_cursor_next(tandem_cdr_cursor* cursor, const tandem_cdr** out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(cursor);
    TANDEM_CAPI_NOT_NULL(out);
    *out = nullptr;
    cursor->view.reset();
    cursor->record.reset();
    if (cursor->left == 0) return TANDEM_OK;
    auto next = cursor->cursor.next();
    TANDEM_CAPI_TRY(next);
    if (!*next) {
      cursor->left = 0;
      return TANDEM_OK;
    }
    --cursor->left;
    cursor->record = std::move(*next);
    cursor->view.emplace(*cursor->record);
    *out = cursor->view->get();
    return TANDEM_OK;
  });
}

void tandem_cdr_cursor_destroy(tandem_cdr_cursor* cursor) { delete cursor; }

int tandem_cdr_store_call_report(const char* folder, const tandem_call_report_request* request,
                                 const tandem_cdr_guards* guards, tandem_text** text) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(folder);
    const auto limits = read_guards(guards);
    TANDEM_CAPI_TRY(limits);
    return give_report(request, text, [&](const CallReportRequest& read) {
      return call_report(std::string(folder), read, *limits);
    });
  });
}

int tandem_config_call_report(const tandem_config* config,
                              const tandem_call_report_request* request, tandem_text** text) {
  return guarded([&]() -> int {
    const auto usable = usable_config(config);
    TANDEM_CAPI_TRY(usable);
    return give_report(request, text,
                       [&](const CallReportRequest& read) { return call_report(**usable, read); });
  });
}

int tandem_switch_call_report(const tandem_switch* object,
                              const tandem_call_report_request* request, tandem_text** text) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    return give_report(request, text, [&](const CallReportRequest& read) {
      return object->body->call_report(read);
    });
  });
}

}  // extern "C"
