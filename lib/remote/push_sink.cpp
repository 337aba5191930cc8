#include "remote/push_sink.hpp"

#include <algorithm>
#include <utility>

#include "base/text.hpp"
#include "cdr/records.hpp"
#include "remote/tls_stream.hpp"

namespace tandem::remote {
namespace {

http::PostSettings settings_of(const CdrPushConfig& config) {
  return {config.url,        config.token,  config.secret,          config.headers,
          config.timeout_ms, config.tls_ca, config.tls_certificate, config.tls_key};
}

}  // namespace

PushSink::PushSink(CdrPushConfig config, const Clock& clock, std::unique_ptr<Dialer> dialer,
                   HttpUrl url, KeptPlace place)
    : config_(std::move(config)),
      clock_(clock),
      dialer_(std::move(dialer)),
      url_(url),
      shown_url_(http::shown_url(url)),
      exchange_(*dialer_, std::move(url)),
      place_(std::move(place)),
      acknowledged_(place_.sequence()) {}

Result<std::unique_ptr<PushSink>> PushSink::open(CdrPushConfig config,
                                                 std::shared_ptr<cdr::Disk> disk,
                                                 const Clock& clock,
                                                 std::unique_ptr<Dialer> dialer) {
  if (auto checked = check_cdr_push(config); !checked) return std::move(checked).error();
  auto url = parse_http_url(config.url);
  if (!url) return std::move(url).error();
  if (url->is_tls) {
    TlsConfig files;
    files.certificate = config.tls_certificate;
    files.key = config.tls_key;
    files.ca = config.tls_ca;
    auto with_tls = make_tls_dialer(clock, std::move(files), std::move(dialer));
    if (!with_tls) return std::move(with_tls).error();
    dialer = std::move(*with_tls);
  }
  auto place = KeptPlace::open(std::move(disk), config.folder);
  if (!place) return std::move(place).error();
  return std::unique_ptr<PushSink>(new PushSink(std::move(config), clock, std::move(dialer),
                                                std::move(*url), std::move(*place)));
}

/// C-06: a batch is full, or a second old; retries after 1 to 60 s.
void PushSink::set_pace(cdr::SinkRunnerOptions& options) const {
  options.batch_records = static_cast<std::size_t>(config_.batch_records);
  options.batch_bytes = body_bytes;
  options.linger_ms = 1'000;
  options.retry_min_ms = 1'000;
  options.retry_max_ms = 60'000;
}

Result<std::uint64_t> PushSink::position() { return place_.sequence(); }

Result<void> PushSink::write_batch(std::span<const cdr::RecordView> records,
                                   std::uint64_t through) {
  std::string body;
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  std::int32_t count = 0;
  const auto send = [&]() -> Result<void> {
    if (count == 0) return {};
    body += ']';
    if (auto done = post(body, first, last); !done) return done;
    acknowledged_ = last;
    count = 0;
    return {};
  };
  for (const cdr::RecordView& view : records) {
    if (view.type != cdr::RecordType::end || view.sequence <= acknowledged_) continue;
    auto record = cdr::decode_end(view.payload, view.sequence);
    if (!record) return std::move(record).error();
    if (count == config_.batch_records || body.size() >= body_bytes) {
      if (auto done = send(); !done) return done;
      if (auto done = place_.move(acknowledged_); !done) return done;
    }
    if (count++ == 0) {
      first = view.sequence;
      body = '[';
    } else {
      body += ',';
    }
    body += to_json(record->cdr);
    last = view.sequence;
  }
  if (auto done = send(); !done) return done;
  acknowledged_ = std::max(acknowledged_, through);
  return place_.move(acknowledged_);
}

std::string PushSink::request_for(std::string_view body, std::uint64_t first,
                                  std::uint64_t last) const {
  std::string key = "tandem-";
  append_integer(key, first);
  key += '-';
  append_integer(key, last);
  return http::signed_post(url_, settings_of(config_), key, body, clock_.wall_us());
}

Result<void> PushSink::post(std::string_view body, std::uint64_t first, std::uint64_t last) {
  const std::int64_t now_us = clock_.monotonic_us();
  if (now_us < not_before_us_) {
    return Error{ErrorCode::io, "server asked for a pause of " +
                                    std::to_string((not_before_us_ - now_us) / 1'000'000 + 1) +
                                    " s more"};
  }
  auto response = exchange_.exchange(request_for(body, first, last),
                                     now_us + std::int64_t{config_.timeout_ms} * 1'000);
  if (!response) {
    Error error = std::move(response).error();
    error.message = "\"" + shown_url_ + "\": " + error.message;
    return error;
  }
  return judge(*response);
}

Result<void> PushSink::judge(const http::ReceivedResponse& response) {
  if (response.status >= 200 && response.status < 300) return {};
  if (http::refuses_content(response.status))
    return Error{ErrorCode::invalid_argument, http::said(response)};
  if (const std::int64_t pause_s = http::asked_pause_s(response); pause_s > 0)
    not_before_us_ = clock_.monotonic_us() + pause_s * 1'000'000;
  return Error{ErrorCode::io, http::said(response)};
}

}  // namespace tandem::remote

namespace tandem {

Result<void> check_cdr_push(const CdrPushConfig& config) {
  if (auto checked = http::check_post(remote::settings_of(config)); !checked)
    return checked.error();
  if (config.batch_records < 1 || config.batch_records > 10'000) {
    return Error{ErrorCode::invalid_argument,
                 "batch_records " + std::to_string(config.batch_records) + " was not in 1..10000"};
  }
  return {};
}

Result<std::unique_ptr<CdrSink>> make_cdr_push_sink(CdrPushConfig config) {
  static const SystemClock clock;
  auto sink = remote::PushSink::open(std::move(config), std::make_shared<cdr::PosixDisk>(), clock,
                                     remote::make_tcp_dialer(clock));
  if (!sink) return std::move(sink).error();
  return std::unique_ptr<CdrSink>(std::move(*sink));
}

}  // namespace tandem
