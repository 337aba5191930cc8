// Records, sinks, the journal alone.
#include "tandem/cdr.hpp"
#include "capi/values.hpp"
#include "tandem/cdr_files.hpp"
#include "tandem/cdr_push.hpp"
#include "tandem/cdr_slots.hpp"
#include "tandem/cdr_sql.hpp"
#include "tandem/clock.hpp"
#include "tandem/journal_check.hpp"
#include "tandem/log.hpp"

using namespace tandem;
using namespace tandem::capi;

template <>
inline constexpr std::size_t tandem::capi::first_struct_bytes<tandem_cdr> = offsetof(tandem_cdr,
                                                                                     lrn);
template <>
inline constexpr std::size_t tandem::capi::first_struct_bytes<tandem_cdr_sql_config> =
    offsetof(tandem_cdr_sql_config, database);

struct tandem_cdr_journal {
  SystemClock clock;
  std::unique_ptr<Log> log;
  std::unique_ptr<CdrJournal> body;  // last: it uses the two above
};

template <>
inline constexpr std::size_t tandem::capi::first_struct_bytes<tandem_charge_facts> =
    offsetof(tandem_charge_facts, package_charge_units);

namespace tandem::capi {

static_assert(TANDEM_RELEASE_SERVER == static_cast<int>(ReleaseSide::server));
static_assert(TANDEM_CSV_LAYOUT_PIPE == static_cast<int>(CsvLayout::pipe));
static_assert(TANDEM_LOG_ERROR == static_cast<int>(LogLevel::error));

namespace {

Result<Reason> read_reason(std::int32_t number) {
  if (number < INT16_MIN || number > INT16_MAX ||
      reason_facts(static_cast<Reason>(number)).reason != static_cast<Reason>(number))
    return Error{ErrorCode::invalid_argument,
                 "reason " + std::to_string(number) + " does not exist"};
  return static_cast<Reason>(number);
}

std::optional<std::string> copy_optional(const char* text) {
  if (text == nullptr) return std::nullopt;
  return std::string(text);
}

Result<ChargeFacts> read_charge(const tandem_charge_facts* given) {
  const auto read = read_struct(given, "tandem_charge_facts");
  if (!read) return read.error();
  ChargeFacts facts;
  facts.account = copy(read->account);
  facts.charge = Amount::from_units(read->charge_units);
  facts.billed_time_s = read->billed_time_s;
  facts.rate_prefix = copy(read->rate_prefix);
  facts.currency = copy(read->currency);
  facts.rate_deck = copy(read->rate_deck);
  facts.rate_terms = copy(read->rate_terms);
  facts.package_charge = Amount::from_units(read->package_charge_units);
  facts.package_time_s = read->package_time_s;
  return facts;
}

Result<MediaSideStats> read_media(const tandem_media_side_stats* given) {
  MediaSideStats stats;
  if (given == nullptr) return stats;
  const auto read = read_struct(given, "tandem_media_side_stats");
  if (!read) return read.error();
  stats.packets_received = read->packets_received;
  stats.bytes_received = read->bytes_received;
  stats.packets_sent = read->packets_sent;
  stats.packets_lost = read->packets_lost;
  stats.jitter_us = read->jitter_us;
  stats.packets_refused = read->packets_refused;
  if (read->remote.ip[0] != '\0') {
    const std::string_view ip(read->remote.ip, ::strnlen(read->remote.ip, sizeof read->remote.ip));
    const auto parsed = IpAddress::parse(ip);
    if (!parsed) return parsed.error();
    stats.remote = SocketAddress{*parsed, read->remote.port}.to_string();
  }
  if (read->signalled.ip[0] != '\0') {
    const std::string_view ip(read->signalled.ip,
                              ::strnlen(read->signalled.ip, sizeof read->signalled.ip));
    const auto parsed = IpAddress::parse(ip);
    if (!parsed) return parsed.error();
    stats.signalled = SocketAddress{*parsed, read->signalled.port}.to_string();
  }
  const auto cause = read_enum(read->cause, MediaCause::fingerprint_mismatch, "cause");
  if (!cause) return cause.error();
  stats.cause = *cause;
  stats.digits = read->digits;
  stats.packets_unnegotiated = read->packets_unnegotiated;
  stats.reported_lost = read->reported_lost;
  stats.reported_jitter_us = read->reported_jitter_us;
  stats.srtp_failures = read->srtp_failures;
  stats.jitter_late = read->jitter_late;
  stats.jitter_lost = read->jitter_lost;
  stats.jitter_depth_ms = read->jitter_depth_ms;
  return stats;
}

Result<Attempt> read_attempt(const tandem_attempt* given) {
  const auto read = read_struct(given, "tandem_attempt");
  if (!read) return read.error();
  const auto reason = read_reason(read->reason);
  if (!reason) return reason.error();
  Attempt attempt;
  attempt.vendor_gateway = copy(read->vendor_gateway);
  attempt.sip_status = read->sip_status;
  attempt.q850_cause = read->q850_cause;
  attempt.reason = *reason;
  attempt.started_at_us = read->started_at_us;
  attempt.ended_at_us = read->ended_at_us;
  attempt.caller_out = copy(read->caller_out);
  attempt.callee_out = copy(read->callee_out);
  return attempt;
}

tandem_charge_facts to_c(const ChargeFacts& facts) {
  return {sizeof(tandem_charge_facts), facts.account.c_str(),     facts.charge.units(),
          facts.billed_time_s,         facts.rate_prefix.c_str(), facts.currency.c_str(),
          facts.rate_deck.c_str(),     facts.rate_terms.c_str(),  facts.package_charge.units(),
          facts.package_time_s};
}

/// A sink of the host. The host's own message is not known here, so the error says whose it was.
class HostSink final : public CdrSink {
 public:
  HostSink(tandem_cdr_write_fn on_write, tandem_cdr_flush_fn on_flush, std::shared_ptr<void> user)
      : write_(on_write), flush_(on_flush), user_(std::move(user)) {}

  [[nodiscard]] Result<void> write(const Cdr& cdr) override {
    const CdrView record(cdr);
    return judge(write_(record.get(), user_.get()), "write");
  }
  [[nodiscard]] Result<void> flush() override {
    return flush_ == nullptr ? Result<void>() : judge(flush_(user_.get()), "flush");
  }

 private:
  static Result<void> judge(int code, const char* what) {
    if (code == TANDEM_OK) return {};
    const bool is_known = code < TANDEM_OK && code >= TANDEM_ERR_INTERNAL;
    return Error{is_known ? static_cast<ErrorCode>(code) : ErrorCode::internal,
                 std::string("the host's ") + what + " returned " + std::to_string(code)};
  }
  tandem_cdr_write_fn write_;
  tandem_cdr_flush_fn flush_;
  std::shared_ptr<void> user_;
};

}  // namespace

Result<Cdr> read_cdr(const tandem_cdr* given) {
  const auto read = read_struct(given, "tandem_cdr");
  if (!read) return read.error();
  const auto reason = read_reason(read->end_reason);
  if (!reason) return reason.error();
  const auto side = read_enum(read->release_side, ReleaseSide::server, "release_side");
  if (!side) return side.error();
  Cdr cdr;
  cdr.record_id = read->record_id;
  cdr.call_id = copy(read->call_id);
  cdr.customer_gateway = copy_optional(read->customer_gateway);
  cdr.vendor_gateway = copy_optional(read->vendor_gateway);
  cdr.caller_ip = copy(read->caller_ip);
  cdr.callee_ip = copy(read->callee_ip);
  cdr.caller_product = copy(read->caller_product);
  cdr.callee_product = copy(read->callee_product);
  cdr.caller_in = copy(read->caller_in);
  cdr.caller = copy(read->caller);
  cdr.caller_out = copy(read->caller_out);
  cdr.callee_in = copy(read->callee_in);
  cdr.callee = copy(read->callee);
  cdr.callee_out = copy(read->callee_out);
  cdr.started_at_us = read->started_at_us;
  cdr.answered_at_us = read->answered_at_us;
  cdr.ended_at_us = read->ended_at_us;
  cdr.pdd_ms = read->pdd_ms;
  cdr.talk_time_ms = read->talk_time_ms;
  if (read->customer != nullptr) {
    auto charge = read_charge(read->customer);
    if (!charge) return charge.error();
    cdr.customer = std::move(*charge);
  }
  if (read->vendor != nullptr) {
    auto charge = read_charge(read->vendor);
    if (!charge) return charge.error();
    cdr.vendor = std::move(*charge);
  }
  if (read->agent != nullptr) {
    auto charge = read_charge(read->agent);
    if (!charge) return charge.error();
    cdr.agent = std::move(*charge);
  }
  cdr.end_reason = *reason;
  cdr.end_code = read->end_code;
  cdr.sip_status = read->sip_status;
  cdr.q850_cause = read->q850_cause;
  cdr.release_side = *side;
  if (read->attempts_count > 0 && read->attempts == nullptr)
    return Error{ErrorCode::invalid_argument, "attempts was NULL with a count"};
  for (std::size_t i = 0; i < read->attempts_count; ++i) {
    auto attempt = read_attempt(read->attempts[i]);
    if (!attempt) return attempt.error();
    cdr.attempts.push_back(std::move(*attempt));
  }
  cdr.media_relayed = read->media_relayed != 0;
  auto media_caller = read_media(read->media_caller);
  if (!media_caller) return media_caller.error();
  cdr.media_caller = std::move(*media_caller);
  auto media_callee = read_media(read->media_callee);
  if (!media_callee) return media_callee.error();
  cdr.media_callee = std::move(*media_callee);
  cdr.lrn = copy(read->lrn);
  cdr.callee_region = copy(read->callee_region);
  cdr.caller_region = copy(read->caller_region);
  cdr.choices = copy(read->choices);
  cdr.codecs = {copy(read->codec), copy(read->caller_codecs), copy(read->callee_codecs)};
  cdr.recording = copy(read->recording);
  const auto level = read_call_level(read->call_level);
  if (!level) return level.error();
  cdr.call_level = *level;
  return cdr;
}

std::string to_json_lines(const std::vector<Cdr>& cdrs) {
  std::string lines;
  for (const Cdr& cdr : cdrs)
    lines += to_json(cdr) + '\n';
  return lines;
}

tandem_media_side_stats to_c(const MediaSideStats& stats) {
  tandem_media_side_stats out = TANDEM_MEDIA_SIDE_STATS_INIT;
  out.packets_received = stats.packets_received;
  out.bytes_received = stats.bytes_received;
  out.packets_sent = stats.packets_sent;
  out.packets_lost = stats.packets_lost;
  out.jitter_us = stats.jitter_us;
  out.packets_refused = stats.packets_refused;
  if (!stats.remote.empty()) {
    const auto remote = SocketAddress::parse(stats.remote);
    if (remote) out.remote = to_c(*remote);
  }
  if (const auto signalled = SocketAddress::parse(stats.signalled); signalled)
    out.signalled = to_c(*signalled);
  out.cause = static_cast<int32_t>(stats.cause);
  out.digits = stats.digits;
  out.packets_unnegotiated = stats.packets_unnegotiated;
  out.reported_lost = stats.reported_lost;
  out.reported_jitter_us = stats.reported_jitter_us;
  out.srtp_failures = stats.srtp_failures;
  out.jitter_late = stats.jitter_late;
  out.jitter_lost = stats.jitter_lost;
  out.jitter_depth_ms = stats.jitter_depth_ms;
  return out;
}

CdrView::CdrView(const Cdr& cdr) {
  const auto optional_text = [](const std::optional<std::string>& text) {
    return text ? text->c_str() : nullptr;
  };
  record_ = TANDEM_CDR_INIT;
  record_.record_id = cdr.record_id;
  record_.call_id = cdr.call_id.c_str();
  record_.customer_gateway = optional_text(cdr.customer_gateway);
  record_.vendor_gateway = optional_text(cdr.vendor_gateway);
  record_.caller_ip = cdr.caller_ip.c_str();
  record_.callee_ip = cdr.callee_ip.c_str();
  record_.caller_product = cdr.caller_product.c_str();
  record_.callee_product = cdr.callee_product.c_str();
  record_.caller_in = cdr.caller_in.c_str();
  record_.caller = cdr.caller.c_str();
  record_.caller_out = cdr.caller_out.c_str();
  record_.callee_in = cdr.callee_in.c_str();
  record_.callee = cdr.callee.c_str();
  record_.callee_out = cdr.callee_out.c_str();
  record_.started_at_us = cdr.started_at_us;
  record_.answered_at_us = cdr.answered_at_us;
  record_.ended_at_us = cdr.ended_at_us;
  record_.pdd_ms = cdr.pdd_ms;
  record_.talk_time_ms = cdr.talk_time_ms;
  if (!cdr.customer.account.empty()) {
    customer_ = to_c(cdr.customer);
    record_.customer = &customer_;
  }
  if (cdr.vendor) {
    vendor_ = to_c(*cdr.vendor);
    record_.vendor = &vendor_;
  }
  if (cdr.agent) {
    agent_ = to_c(*cdr.agent);
    record_.agent = &agent_;
  }
  record_.end_reason = static_cast<int32_t>(cdr.end_reason);
  record_.end_code = cdr.end_code;
  record_.sip_status = cdr.sip_status;
  record_.q850_cause = cdr.q850_cause;
  record_.release_side = static_cast<int32_t>(cdr.release_side);
  attempts_.reserve(cdr.attempts.size());
  for (const Attempt& attempt : cdr.attempts)
    attempts_.push_back({sizeof(tandem_attempt), attempt.vendor_gateway.c_str(), attempt.sip_status,
                         attempt.q850_cause, static_cast<int32_t>(attempt.reason),
                         attempt.started_at_us, attempt.ended_at_us, attempt.caller_out.c_str(),
                         attempt.callee_out.c_str()});
  for (const tandem_attempt& attempt : attempts_)
    attempt_pointers_.push_back(&attempt);
  record_.attempts = attempt_pointers_.empty() ? nullptr : attempt_pointers_.data();
  record_.attempts_count = attempt_pointers_.size();
  record_.media_relayed = cdr.media_relayed ? 1 : 0;
  media_[0] = to_c(cdr.media_caller);
  media_[1] = to_c(cdr.media_callee);
  record_.media_caller = &media_[0];
  record_.media_callee = &media_[1];
  record_.lrn = cdr.lrn.c_str();
  record_.callee_region = cdr.callee_region.c_str();
  record_.caller_region = cdr.caller_region.c_str();
  record_.choices = cdr.choices.c_str();
  record_.codec = cdr.codecs.negotiated.c_str();
  record_.caller_codecs = cdr.codecs.caller.c_str();
  record_.callee_codecs = cdr.codecs.callee.c_str();
  record_.recording = cdr.recording.c_str();
  record_.call_level = static_cast<int32_t>(cdr.call_level);
}

std::shared_ptr<void> own_user(void* user, void (*user_free)(void*)) {
  // When the control block cannot be allocated, the constructor itself calls the deleter.
  return {user, [user_free](void* p) {
            if (user_free != nullptr) user_free(p);
          }};
}

LogSink make_log_sink(tandem_log_fn log, std::shared_ptr<void> user) {
  if (log == nullptr) return {};
  return [log, user = std::move(user)](const LogRecord& record) {
    log(static_cast<int32_t>(record.level), record.to_string().c_str(), user.get());
  };
}

Result<LogLevel> read_log_level(std::int32_t level) {
  return read_enum(level, LogLevel::error, "log_level");
}

namespace {

int create_sql_sink(const tandem_cdr_sql_config* config, tandem_cdr_sink** out,
                    Result<std::unique_ptr<CdrSink>> (*make)(CdrSqlConfig)) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(out);
    const auto read = read_struct(config, "tandem_cdr_sql_config");
    TANDEM_CAPI_TRY(read);
    CdrSqlConfig sql;
    sql.folder = copy(read->folder);
    sql.connection = copy(read->connection);
    if (read->table != nullptr) sql.table = read->table;
    if (read->source != nullptr) sql.source = read->source;
    sql.retention_days = read->retention_days;
    if (read->ahead_days != 0) sql.ahead_days = read->ahead_days == -1 ? 0 : read->ahead_days;
    if (read->batch_records != 0) sql.batch_records = read->batch_records;
    if (read->timeout_ms != 0) sql.timeout_ms = read->timeout_ms;
    sql.database = copy(read->database);
    sql.journal = copy(read->journal);
    auto sink = make(std::move(sql));
    TANDEM_CAPI_TRY(sink);
    *out = new tandem_cdr_sink{std::move(*sink)};
    return TANDEM_OK;
  });
}

}  // namespace

std::unique_ptr<CdrSink> take_sink(tandem_cdr_sink* sink) noexcept {
  if (sink == nullptr) return nullptr;
  auto body = std::move(sink->body);
  delete sink;
  return body;
}

std::string sinks_json(const std::vector<CdrSinkState>& sinks) {
  std::string out = "[";
  for (const CdrSinkState& sink : sinks) {
    if (out.size() > 1) out += ',';
    out += "{\"name\":" + json_quoted(sink.name) +
           ",\"position\":" + std::to_string(sink.position) +
           ",\"lag_records\":" + std::to_string(sink.lag_records) +
           ",\"lag_us\":" + std::to_string(sink.lag_us) +
           ",\"failures\":" + std::to_string(sink.failures) +
           ",\"is_failing\":" + (sink.is_failing ? "true" : "false") +
           ",\"last_error\":" + json_quoted(sink.last_error) +
           ",\"set_aside\":" + std::to_string(sink.set_aside) + '}';
  }
  return out += ']';
}

}  // namespace tandem::capi

extern "C" {

int tandem_cdr_to_json(const tandem_cdr* cdr, tandem_text** json) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(json);
    const auto read = read_cdr(cdr);
    TANDEM_CAPI_TRY(read);
    return give(to_json(*read), json);
  });
}

int tandem_cdr_to_csv(const tandem_cdr* cdr, tandem_text** row) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(row);
    const auto read = read_cdr(cdr);
    TANDEM_CAPI_TRY(read);
    return give(to_csv_row(*read), row);
  });
}

int tandem_cdr_csv_header(tandem_text** header) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(header);
    return give(csv_header(), header);
  });
}

int tandem_cdr_sink_create(const tandem_cdr_sink_config* config, tandem_cdr_sink** out) {
  return guarded([&]() -> int {
    const auto read = read_struct(config, "tandem_cdr_sink_config");
    TANDEM_CAPI_TRY(read);
    const auto user = own_user(read->user, read->user_free);
    TANDEM_CAPI_NOT_NULL(out);
    if (read->write == nullptr) return fail_null("write");
    *out = new tandem_cdr_sink{std::make_unique<HostSink>(read->write, read->flush, user)};
    return TANDEM_OK;
  });
}

int tandem_cdr_sink_create_csv(const tandem_csv_sink_config* config, tandem_cdr_sink** out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(out);
    const auto read = read_struct(config, "tandem_csv_sink_config");
    TANDEM_CAPI_TRY(read);
    const auto layout = read_enum(read->layout, CsvLayout::pipe, "layout");
    TANDEM_CAPI_TRY(layout);
    auto sink = make_csv_sink({.path = copy(read->path),
                               .layout = *layout,
                               .hourly = read->hourly != 0,
                               .header = read->no_header == 0,
                               .unanswered = read->answered_only == 0});
    TANDEM_CAPI_TRY(sink);
    *out = new tandem_cdr_sink{std::move(*sink)};
    return TANDEM_OK;
  });
}

int tandem_cdr_sink_create_files(const tandem_cdr_files_config* config, tandem_cdr_sink** out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(out);
    const auto read = read_struct(config, "tandem_cdr_files_config");
    TANDEM_CAPI_TRY(read);
    const auto layout = read_enum(read->layout, CsvLayout::pipe, "layout");
    TANDEM_CAPI_TRY(layout);
    CdrFilesConfig files;
    files.folder = copy(read->folder);
    files.layout = *layout;
    files.header = read->no_header == 0;
    files.unanswered = read->answered_only == 0;
    if (read->interval_s != 0) files.interval_s = read->interval_s;
    files.records_max = read->records_max;
    if (read->files_max != 0) files.files_max = read->files_max;
    if (read->keep_all != 0) files.files_max = 0;
    auto sink = make_cdr_files_sink(std::move(files));
    TANDEM_CAPI_TRY(sink);
    *out = new tandem_cdr_sink{std::move(*sink)};
    return TANDEM_OK;
  });
}

int tandem_cdr_sink_create_push(const tandem_cdr_push_config* config, tandem_cdr_sink** out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(out);
    const auto read = read_struct(config, "tandem_cdr_push_config");
    TANDEM_CAPI_TRY(read);
    CdrPushConfig push;
    push.folder = copy(read->folder);
    push.url = copy(read->url);
    push.token = copy(read->token);
    push.secret = copy(read->secret);
    push.tls_ca = copy(read->tls_ca);
    push.tls_certificate = copy(read->tls_certificate);
    push.tls_key = copy(read->tls_key);
    if (read->headers_count > 16)
      return fail(ErrorCode::invalid_argument,
                  "headers_count " + std::to_string(read->headers_count) + " was more than 16");
    if (read->headers_count > 0) TANDEM_CAPI_NOT_NULL(read->headers);
    for (std::size_t i = 0; i < read->headers_count; ++i)
      push.headers.push_back(copy(read->headers[i]));
    if (read->batch_records != 0) push.batch_records = read->batch_records;
    if (read->timeout_ms != 0) push.timeout_ms = read->timeout_ms;
    auto sink = make_cdr_push_sink(std::move(push));
    TANDEM_CAPI_TRY(sink);
    *out = new tandem_cdr_sink{std::move(*sink)};
    return TANDEM_OK;
  });
}

int tandem_cdr_sink_create_postgresql(const tandem_cdr_sql_config* config, tandem_cdr_sink** out) {
  return create_sql_sink(config, out, make_cdr_postgresql_sink);
}

int tandem_cdr_sink_create_mariadb(const tandem_cdr_sql_config* config, tandem_cdr_sink** out) {
  return create_sql_sink(config, out, make_cdr_mariadb_sink);
}

int tandem_cdr_sink_create_sqlite(const char* folder, tandem_cdr_sink** out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(folder);
    TANDEM_CAPI_NOT_NULL(out);
    auto sink = make_sqlite_sink(folder);
    TANDEM_CAPI_TRY(sink);
    *out = new tandem_cdr_sink{std::move(*sink)};
    return TANDEM_OK;
  });
}

int tandem_cdr_sink_create_slots(const char* folder, const char* zone, tandem_cdr_sink** out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(folder);
    TANDEM_CAPI_NOT_NULL(out);
    auto sink = make_cdr_slots_sink(folder, copy(zone));
    TANDEM_CAPI_TRY(sink);
    *out = new tandem_cdr_sink{std::move(*sink)};
    return TANDEM_OK;
  });
}

int tandem_cdr_slots_rebuild(const char* days, const char* folder, const char* zone,
                             uint64_t* records) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(days);
    TANDEM_CAPI_NOT_NULL(folder);
    CdrPlace place(days);
    place.slots = folder;
    const auto count = rebuild_cdr_slots(place, copy(zone));
    TANDEM_CAPI_TRY(count);
    if (records != nullptr) *records = *count;
    return TANDEM_OK;
  });
}

int tandem_cdr_sink_write(tandem_cdr_sink* sink, const tandem_cdr* cdr) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(sink);
    const auto read = read_cdr(cdr);
    TANDEM_CAPI_TRY(read);
    TANDEM_CAPI_TRY(sink->body->write(*read));
    return TANDEM_OK;
  });
}

int tandem_cdr_sink_flush(tandem_cdr_sink* sink) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(sink);
    TANDEM_CAPI_TRY(sink->body->flush());
    return TANDEM_OK;
  });
}

void tandem_cdr_sink_destroy(tandem_cdr_sink* sink) { delete sink; }

int tandem_cdr_journal_open(const tandem_cdr_journal_config* config, tandem_cdr_journal** out) {
  return guarded([&]() -> int {
    const auto read = read_struct(config, "tandem_cdr_journal_config");
    TANDEM_CAPI_TRY(read);
    const auto user = own_user(read->user, read->user_free);
    TANDEM_CAPI_NOT_NULL(out);
    const auto level = read_log_level(read->log_level);
    TANDEM_CAPI_TRY(level);
    CdrJournalConfig journal;
    journal.folder = copy(read->folder);
    if (read->segment_bytes != 0) journal.segment_bytes = read->segment_bytes;
    if (read->queue_records != 0) journal.queue_records = read->queue_records;
    if (read->backlog_bytes_max != 0) journal.backlog_bytes_max = read->backlog_bytes_max;
    journal.threads = read->without_threads == 0;
    auto handle = std::make_unique<tandem_cdr_journal>();
    if (read->log != nullptr)
      handle->log = std::make_unique<Log>(handle->clock, make_log_sink(read->log, user), *level);
    auto opened = CdrJournal::open(std::move(journal), handle->clock, handle->log.get());
    TANDEM_CAPI_TRY(opened);
    handle->body = std::move(*opened);
    *out = handle.release();
    return TANDEM_OK;
  });
}

int tandem_cdr_journal_add_sink(tandem_cdr_journal* journal, const char* name,
                                tandem_cdr_sink* sink) {
  return tandem_cdr_journal_add_strict_sink(journal, name, sink, 0);
}

int tandem_cdr_journal_add_strict_sink(tandem_cdr_journal* journal, const char* name,
                                       tandem_cdr_sink* sink, uint32_t set_aside_after) {
  return guarded([&]() -> int {
    auto taken = take_sink(sink);
    TANDEM_CAPI_NOT_NULL(journal);
    if (taken == nullptr) return fail_null("sink");
    TANDEM_CAPI_TRY(journal->body->add_sink(copy(name), std::move(taken), set_aside_after));
    return TANDEM_OK;
  });
}

int tandem_cdr_journal_start(tandem_cdr_journal* journal) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(journal);
    TANDEM_CAPI_TRY(journal->body->start());
    return TANDEM_OK;
  });
}

int tandem_cdr_journal_append(tandem_cdr_journal* journal, const tandem_cdr* cdr,
                              uint64_t* record_id) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(journal);
    const auto read = read_cdr(cdr);
    TANDEM_CAPI_TRY(read);
    const auto id = journal->body->append(*read);
    TANDEM_CAPI_TRY(id);
    if (record_id != nullptr) *record_id = *id;
    return TANDEM_OK;
  });
}

int tandem_cdr_journal_is_writable(const tandem_cdr_journal* journal) {
  return journal != nullptr && journal->body->is_writable() ? 1 : 0;
}

uint64_t tandem_cdr_journal_durable_id(const tandem_cdr_journal* journal) {
  return journal == nullptr ? 0 : journal->body->durable_id();
}

int tandem_cdr_journal_wait_durable(tandem_cdr_journal* journal, uint64_t record_id,
                                    int64_t timeout_ms) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(journal);
    TANDEM_CAPI_TRY(journal->body->wait_durable(record_id, timeout_ms));
    return TANDEM_OK;
  });
}

int tandem_cdr_journal_pump(tandem_cdr_journal* journal) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(journal);
    journal->body->pump();
    return TANDEM_OK;
  });
}

int tandem_cdr_journal_read_counters(const tandem_cdr_journal* journal,
                                     tandem_cdr_journal_counters* out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(journal);
    TANDEM_CAPI_TRY(check_result_struct(out, "tandem_cdr_journal_counters"));
    const CdrJournalCounters c = journal->body->counters();
    write_struct(out, tandem_cdr_journal_counters{0, c.appended, c.refused, c.durable, c.commits,
                                                  c.disk_failures, c.waiting, c.segments,
                                                  c.segments_recycled});
    return TANDEM_OK;
  });
}

int tandem_cdr_journal_sinks(const tandem_cdr_journal* journal, tandem_text** json) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(journal);
    TANDEM_CAPI_NOT_NULL(json);
    return give(sinks_json(journal->body->sinks()), json);
  });
}

int tandem_cdr_journal_close(tandem_cdr_journal* journal, int64_t drain_ms) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(journal);
    journal->body->close(drain_ms);
    return TANDEM_OK;
  });
}

void tandem_cdr_journal_destroy(tandem_cdr_journal* journal) { delete journal; }

int tandem_check_journal(const char* folder, int32_t* is_ok, tandem_text** json) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(folder);
    TANDEM_CAPI_NOT_NULL(json);
    const auto check = check_journal(folder);
    TANDEM_CAPI_TRY(check);
    if (is_ok != nullptr) *is_ok = check->ok() ? 1 : 0;
    return give(to_json(*check), json);
  });
}

}  // extern "C"
