#include "remote/push_sink.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.hpp"
#include "cdr/records.hpp"
#include "http/syntax.hpp"
#include "remote/tls_stream.hpp"
#include "tandem/version.h"

namespace tandem::remote {
namespace {

constexpr std::string_view own_headers[] = {
    "host",       "content-length", "content-type",    "transfer-encoding",  "connection",
    "user-agent", "expect",         "idempotency-key", "x-tandem-timestamp", "x-tandem-signature"};

/// Text that may stand in a head: no control character, nothing beyond ASCII.
bool is_plain(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
}

Result<void> check_header(const std::string& line, bool has_token) {
  const std::size_t colon = std::min(line.find(':'), line.size());
  const std::string name = http::lower_case(std::string_view(line).substr(0, colon));
  // Values may be keys: messages have the name alone, and only when it is one.
  if (colon == line.size() || !http::is_token(name))
    return Error{ErrorCode::invalid_argument, "headers had a line that was no \"Name: value\""};
  if (line.size() > 1'024 || !is_plain(line))
    return Error{ErrorCode::invalid_argument,
                 "headers had \"" + name +
                     "\" with a value that was too long, or had a character that none can have"};
  const bool is_own =
      std::find(std::begin(own_headers), std::end(own_headers), name) != std::end(own_headers) ||
      (has_token && name == "authorization");
  if (is_own)
    return Error{ErrorCode::invalid_argument,
                 "headers had \"" + name + "\", which the sink sends itself"};
  return {};
}

/// What a server says of its refusal, as part of one line.
std::string said(const http::ReceivedResponse& response) {
  constexpr std::size_t length_max = 200;
  std::string text;
  for (const char c : response.body.substr(0, length_max))
    text += c >= 0x20 && c < 0x7f ? c : ' ';
  const std::string_view words = trimmed(text);
  return "server answered " + std::to_string(response.status) +
         (words.empty() ? "" : ": " + std::string(words));
}

const std::string* find_header(const http::ReceivedResponse& response, std::string_view name) {
  for (const auto& [key, value] : response.headers) {
    if (key == name) return &value;
  }
  return nullptr;
}

}  // namespace

std::string push_signature(std::string_view secret, std::string_view timestamp,
                           std::string_view body) {
  constexpr char hex[] = "0123456789abcdef";
  std::string message(timestamp);
  message += '.';
  message += body;
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
  unsigned size = 0;
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
       reinterpret_cast<const unsigned char*>(message.data()), message.size(), bytes.data(), &size);
  std::string text = "sha256=";
  for (unsigned i = 0; i < size; ++i) {
    text += hex[bytes[i] >> 4U];
    text += hex[bytes[i] & 15U];
  }
  return text;
}

PushSink::PushSink(CdrPushConfig config, const Clock& clock, std::unique_ptr<Dialer> dialer,
                   HttpUrl url, KeptPlace place)
    : config_(std::move(config)),
      clock_(clock),
      dialer_(std::move(dialer)),
      authority_(url.authority),
      target_(url.target),
      shown_url_((url.is_tls ? "https://" : "http://") + url.authority +
                 url.target.substr(0, url.target.find('?'))),
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
  std::string request = "POST " + target_ + " HTTP/1.1\r\nHost: " + authority_ +
                        "\r\nUser-Agent: tandem/" TANDEM_VERSION_STRING
                        "\r\nContent-Type: application/json\r\nContent-Length: ";
  append_integer(request, body.size());
  request += "\r\nIdempotency-Key: tandem-";
  append_integer(request, first);
  request += '-';
  append_integer(request, last);
  if (!config_.token.empty()) request += "\r\nAuthorization: Bearer " + config_.token;
  if (!config_.secret.empty()) {
    std::string timestamp;
    append_integer(timestamp, clock_.wall_us() / 1'000'000);
    request += "\r\nX-Tandem-Timestamp: " + timestamp +
               "\r\nX-Tandem-Signature: " + push_signature(config_.secret, timestamp, body);
  }
  for (const std::string& header : config_.headers)
    request += "\r\n" + header;
  request += "\r\n\r\n";
  request += body;
  return request;
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
  switch (response.status) {
    case 400:
    case 413:
    case 422:
      return Error{ErrorCode::invalid_argument, said(response)};
    case 429:
    case 503:
      if (const std::string* text = find_header(response, "retry-after")) {
        if (const auto wait_s = parse_integer<std::uint32_t>(*text)) {
          not_before_us_ = clock_.monotonic_us() +
                           std::min<std::int64_t>(*wait_s, retry_after_max_s) * 1'000'000;
        }
      }
      return Error{ErrorCode::io, said(response)};
    default:
      return Error{ErrorCode::io, said(response)};
  }
}

}  // namespace tandem::remote

namespace tandem {

Result<void> check_cdr_push(const CdrPushConfig& config) {
  const auto bad = [](std::string text) {
    return Error{ErrorCode::invalid_argument, std::move(text)};
  };
  const auto url = remote::parse_http_url(config.url);
  if (!url) return url.error();
  const std::pair<const char*, const std::string&> files[] = {
      {"tls_ca", config.tls_ca},
      {"tls_certificate", config.tls_certificate},
      {"tls_key", config.tls_key}};
  for (const auto& [name, file] : files) {
    if (!file.empty() && !url->is_tls)
      return bad(std::string(name) + " \"" + file + "\" is for a url with https only");
  }
  if (!config.tls_key.empty() && config.tls_certificate.empty())
    return bad("tls_key \"" + config.tls_key + "\" came without tls_certificate");
  if (config.token.size() > 4'096 || !remote::is_plain(config.token))
    return bad("token was too long, or had a character that no header can have");
  if (config.secret.size() > 4'096) return bad("secret was longer than 4096 bytes");
  if (config.headers.size() > 16)
    return bad("headers were " + std::to_string(config.headers.size()) + ", more than 16");
  for (const std::string& header : config.headers) {
    if (auto checked = remote::check_header(header, !config.token.empty()); !checked)
      return checked;
  }
  if (config.batch_records < 1 || config.batch_records > 10'000)
    return bad("batch_records " + std::to_string(config.batch_records) + " was not in 1..10000");
  if (config.timeout_ms < 100 || config.timeout_ms > 120'000)
    return bad("timeout_ms " + std::to_string(config.timeout_ms) + " was not in 100..120000");
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
