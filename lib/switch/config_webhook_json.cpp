// Keys of the file's section `phone_notices` (I-02).
#include "switch/config_fields_json.hpp"

namespace tandem::config {

const std::vector<Field<WebhookConfig>>& webhook_fields() {
  using W = WebhookConfig;
  static const std::vector<Field<W>> fields = {
      {"url", "text", "required", "`http[s]://host[:port]/path` that notices are posted to.",
       [](Reader& r, const Json& v, W& w) { r.string(v, w.url, 2'048); }},
      {"token", "text", "none", "Bearer token.",
       [](Reader& r, const Json& v, W& w) { r.string(v, w.token, 4'096); }},
      {"secret", "text", "none", "Signs each request by HMAC-SHA256 (I-06).",
       [](Reader& r, const Json& v, W& w) { r.string(v, w.secret, 4'096); }},
      {"headers", "array of \"Name: value\"", "[]", "Further header lines, at most 16.",
       [](Reader& r, const Json& v, W& w) {
         w.headers.clear();
         r.each(v, [&](const Json& item) {
           std::string line;
           if (r.string(item, line, 1'024)) w.headers.push_back(std::move(line));
         });
       }},
      {"timeout_ms", "integer 100..120000", "5000", "For a request, from the connection on.",
       [](Reader& r, const Json& v, W& w) { r.number(v, 100, 120'000, w.timeout_ms); }},
      {"retries", "integer 0..1000", "20", "Further attempts before a notice is given up.",
       [](Reader& r, const Json& v, W& w) { r.number(v, 0, 1'000, w.retries); }},
      {"retry_min_ms", "integer 100..3600000", "1000",
       "Pause after a failure; doubled with each one that follows.",
       [](Reader& r, const Json& v, W& w) { r.number(v, 100, 3'600'000, w.retry_min_ms); }},
      {"retry_max_ms", "integer 100..3600000", "60000", "The longest of those pauses.",
       [](Reader& r, const Json& v, W& w) { r.number(v, 100, 3'600'000, w.retry_max_ms); }},
      {"queue_max", "integer 1..1000000", "10000",
       "Notices that may wait; beyond it the oldest are given up.",
       [](Reader& r, const Json& v, W& w) { r.number(v, 1, 1'000'000, w.queue_max); }},
      {"connections", "integer 1..64", "4", "To the server at once.",
       [](Reader& r, const Json& v, W& w) { r.number(v, 1, 64, w.connections); }},
      {"tls_ca", "path", "those of the system",
       "`https`: PEM, authorities that the server's certificate must come from. Files are read "
       "with each load and reload.",
       [](Reader& r, const Json& v, W& w) { r.string(v, w.tls_ca, 4'096); }},
      {"tls_certificate", "path", "none",
       "`https`: PEM, the certificate for a server that asks for one.",
       [](Reader& r, const Json& v, W& w) { r.string(v, w.tls_certificate, 4'096); }},
      {"tls_key", "path", "the file of `tls_certificate`", "PEM: its key, without a passphrase.",
       [](Reader& r, const Json& v, W& w) { r.string(v, w.tls_key, 4'096); }},
      {"dead_letters", "path", "none",
       "File that notices go to which were given up, a JSON object a line, up to 64 MiB.",
       [](Reader& r, const Json& v, W& w) { r.string(v, w.dead_letters, 4'096); }},
  };
  return fields;
}

}  // namespace tandem::config
