// Keys of the file's section `dns` (P-01).
#include <string>

#include "io/dns_files.hpp"
#include "switch/config_fields_json.hpp"
#include "switch/config_values_json.hpp"

namespace tandem::config {

const std::vector<Field<DnsConfig>>& dns_fields() {
  using D = DnsConfig;
  static const std::vector<Field<D>> fields = {
      {"servers", "array of IP or IP:PORT", "those of /etc/resolv.conf",
       "Name servers that answer recursively, at most 8; the next is asked when one does not "
       "answer.",
       [](Reader& r, const Json& v, D& d) {
         d.servers.clear();
         r.each(v, [&](const Json& item) {
           std::string text;
           if (!r.string(item, text)) return;
           const auto server = SocketAddress::parse(text, 53);
           if (!server) return r.fail(server.error().message);
           if (server->port == 0) return r.fail("\"" + text + "\" has port 0");
           if (d.servers.size() == io::dns_servers_max)
             return r.fail("more than " + std::to_string(io::dns_servers_max) + " name servers");
           d.servers.push_back(*server);
         });
       }},
      {"timeout_ms", "integer 50..10000", "1000", "How long one server is waited for.",
       [](Reader& r, const Json& v, D& d) { r.number(v, 50, 10'000, d.timeout_ms); }},
      {"rounds", "integer 1..5", "2", "How often each server is asked before a look-up has failed.",
       [](Reader& r, const Json& v, D& d) { r.number(v, 1, 5, d.rounds); }},
      {"ttl_min_s", "integer 1..3600", "5", "A shorter TTL counts as this.",
       [](Reader& r, const Json& v, D& d) { r.number(v, 1, 3'600, d.ttl_min_s); }},
      {"ttl_max_s", "integer 1..86400", "3600", "A longer TTL counts as this.",
       [](Reader& r, const Json& v, D& d) { r.number(v, 1, 86'400, d.ttl_max_s); }},
      {"negative_ttl_max_s", "integer 1..3600", "300",
       "The same for the answer that there is nothing (RFC 2308).",
       [](Reader& r, const Json& v, D& d) { r.number(v, 1, 3'600, d.negative_ttl_max_s); }},
      {"stale_s", "integer 0..604800", "86400",
       "How long beyond its TTL an answer is used while no server answers (RFC 8767).",
       [](Reader& r, const Json& v, D& d) { r.number(v, 0, 604'800, d.stale_s); }},
      {"entries_max", "integer 64..65536", "4096", "Questions that are remembered.",
       [](Reader& r, const Json& v, D& d) { r.number(v, 64, 65'536, d.entries_max); }},
      {"rest_s", "integer 0..3600", "30",
       "How long calls pass over a place of a name that did not answer one, while the name has "
       "others.",
       [](Reader& r, const Json& v, D& d) { r.number(v, 0, 3'600, d.rest_s); }},
      {"hosts_file", "path", "\"/etc/hosts\"",
       "Names in it are not asked for; \"\": there is none. Read at the start.",
       [](Reader& r, const Json& v, D& d) { r.string(v, d.hosts_file, 4096); }},
      {"memo", "text", "\"\"", "Yours.", [](Reader& r, const Json& v, D&) { read_memo(r, v); }},
  };
  return fields;
}

}  // namespace tandem::config
