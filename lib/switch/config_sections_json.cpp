// Keys of the file's sections `sip`, `media`, `admin` and `cdr`.
#include <algorithm>
#include <string>
#include <utility>

#include "http/websocket.hpp"
#include "switch/config_fields_json.hpp"
#include "switch/config_values_json.hpp"
#include "switch/resolve.hpp"
#include "switch/tls_files.hpp"

namespace tandem::config {

namespace {

constexpr std::size_t origins_max = 64;

/// "udp:IP:PORT". False: it is none, which was reported.
bool read_listen_address(Reader& r, const Json& v, ListenConfig& entry) {
  std::string text;
  if (!r.string(v, text)) return false;
  for (const SipTransport transport : {SipTransport::udp, SipTransport::tcp, SipTransport::tls,
                                       SipTransport::ws, SipTransport::wss}) {
    const std::string prefix = std::string(transport_name(transport)) + ":";
    if (!text.starts_with(prefix)) continue;
    entry.transport = transport;
    auto address =
        SocketAddress::parse(std::string_view(text).substr(prefix.size()), default_port(transport));
    if (!address) {
      r.fail(address.error().message);
      return false;
    }
    entry.address = *address;
    return true;
  }
  r.fail("\"" + text + "\" is no listener: udp:, tcp:, tls:, ws: or wss:, and IP:PORT");
  return false;
}

/// A listener that has settings of its own.
struct ListenObject {
  ListenConfig entry;
  bool is_read = false;
};

const std::vector<Field<ListenObject>>& listen_object_fields() {
  static const std::vector<Field<ListenObject>> fields = {
      {"address", "udp|tcp|tls|ws|wss:IP:PORT", "required", "Where it listens.",
       [](Reader& r, const Json& v, ListenObject& o) {
         o.is_read = read_listen_address(r, v, o.entry);
       }},
      {"client_certificate", "none|ask|require", "none",
       "tls, wss: whether who connects is asked for a certificate of an authority in `sip.tls.ca`.",
       [](Reader& r, const Json& v, ListenObject& o) {
         r.choice<ClientCertificate>(v,
                                     {{"none", ClientCertificate::none},
                                      {"ask", ClientCertificate::ask},
                                      {"require", ClientCertificate::require}},
                                     o.entry.client_certificate);
       }},
      {"origins", "array of origins", "anywhere",
       "ws, wss: where the pages that connect must come from, such as `https://phone.example`; who "
       "says nothing of it is refused then. Without, nobody is known there by an address alone. At "
       "most "
       "64.",
       [](Reader& r, const Json& v, ListenObject& o) {
         r.each(v, [&](const Json& item) {
           std::string text;
           if (!r.string(item, text)) return;
           if (!http::is_origin(text))
             return r.fail("\"" + text + "\" is no origin: scheme://host, and maybe :port");
           if (o.entry.origins.size() == origins_max)
             return r.fail("more than " + std::to_string(origins_max) + " origins");
           o.entry.origins.push_back(std::move(text));
         });
       }},
  };
  return fields;
}

void read_listen(Reader& r, const Json& v, std::vector<ListenConfig>& listen) {
  r.each(v, [&](const Json& item) {
    ListenObject read;
    if (item.is_object()) {
      read_object(r, item, listen_object_fields(), {"address"}, read);
    } else {
      read.is_read = read_listen_address(r, item, read.entry);
    }
    if (read.is_read) listen.push_back(read.entry);
  });
}

/// Finds out whether the files can be used, when the reader looks at them. `key_prefix` stands
/// before the names of their keys.
void check_tls_files(Reader& r, const TlsConfig& tls, const std::string& key_prefix) {
  if (!r.looks_outside()) return;
  std::string_view key;
  const auto opened = io::TlsContext::create(io::resolved_tls(tls, r.folder()), key);
  if (opened) return;
  if (key.empty()) return r.fail(opened.error().message);
  Reader::Step step(r, key_prefix + std::string(key));
  r.fail(opened.error().message);
}

void read_tls(Reader& r, const Json& v, SwitchConfig& c) {
  const std::size_t errors = r.error_count();
  TlsConfig& tls = c.sip_tls.emplace();
  read_object(r, v, tls_fields(), {}, tls);
  if (r.error_count() == errors) check_tls_files(r, tls, "");
}

}  // namespace

const std::vector<Field<TlsConfig>>& tls_fields() {
  static const std::vector<Field<TlsConfig>> fields = {
      {"certificate", "path", "none",
       "PEM: the switch's certificate and those of its issuers but the root (P-01). Listeners need "
       "one; without it nothing is shown to peers that ask.",
       [](Reader& r, const Json& v, TlsConfig& t) { r.string(v, t.certificate, 4096); }},
      {"key", "path", "the file of `certificate`", "PEM: its key, without a passphrase.",
       [](Reader& r, const Json& v, TlsConfig& t) { r.string(v, t.key, 4096); }},
      {"ca", "path", "those of the system",
       "PEM: authorities that certificates of peers must come from.",
       [](Reader& r, const Json& v, TlsConfig& t) { r.string(v, t.ca, 4096); }},
      {"version_min", "1.2|1.3", "1.2", "The oldest TLS that is spoken.",
       [](Reader& r, const Json& v, TlsConfig& t) {
         r.choice<bool>(v, {{"1.2", false}, {"1.3", true}}, t.needs_tls13);
       }},
      {"handshakes_per_s", "integer 0..100000", "200",
       "How many handshakes peers may begin with one worker in a second, all together (S-14); 0: "
       "any number. What is beyond it is closed.",
       [](Reader& r, const Json& v, TlsConfig& t) { r.number(v, 0, 100'000, t.handshakes.per_s); }},
      {"peer_handshakes_per_s", "integer 0..10000", "20",
       "The same of one IP address, which may begin 100 at once.",
       [](Reader& r, const Json& v, TlsConfig& t) {
         r.number(v, 0, 10'000, t.handshakes.peer_per_s);
       }},
  };
  return fields;
}

const std::vector<Field<SwitchConfig>>& sip_fields() {
  static const std::vector<Field<SwitchConfig>> fields = {
      {"listen", "array of udp|tcp|tls|ws|wss:IP:PORT", "required",
       "SIP listeners (P-01), port 5060, 5061 for tls, 80 for ws and 443 for wss, which are "
       "WebSocket without and with TLS. One with further settings is an object: "
       "`{\"address\": \"tls:IP:PORT\", \"client_certificate\": \"none|ask|require\"}`, "
       "`{\"address\": \"wss:IP:PORT\", \"origins\": [\"https://phone.example\"]}`.",
       [](Reader& r, const Json& v, SwitchConfig& c) {
         read_listen(r, v, c.sip_listen);
         if (v.is_array() && v.empty()) r.fail("at least one listener is needed");
       }},
      {"connections_per_peer", "integer 1..4096", "100",
       "Connections that each worker has with one IP address (S-14). Browsers behind one proxy or "
       "NAT share an address. Takes a restart.",
       [](Reader& r, const Json& v, SwitchConfig& c) {
         r.number(v, 1, 4096, c.sip_connections_per_peer);
       }},
      {"product", "text", "\"tandem\" and version",
       "Server and User-Agent header (P-28); \"\": none is sent.",
       [](Reader& r, const Json& v, SwitchConfig& c) {
         std::string text;
         if (!r.string(v, text, 128)) return;
         const auto is_plain = [](char ch) { return ch >= 0x20 && ch < 0x7f; };
         if (!std::all_of(text.begin(), text.end(), is_plain)) {
           r.fail("the product is printable ASCII");
           return;
         }
         c.sip_product = std::move(text);
       }},
      {"tls", "object", "none",
       "Certificates of `tls:` and `wss:` listeners and of calls to vendors over TLS; read again "
       "at a reload.",
       read_tls},
      {"workers", "integer 1..64", "1", "Call workers, each a thread.",
       [](Reader& r, const Json& v, SwitchConfig& c) { r.number(v, 1, 64, c.sip_workers); }},
  };
  return fields;
}

const std::vector<Field<MediaKernelConfig>>& media_kernel_fields() {
  static const std::vector<Field<MediaKernelConfig>> fields = {
      {"interfaces", "array of text", "required", "Network interfaces that media comes in by.",
       [](Reader& r, const Json& v, MediaKernelConfig& k) {
         constexpr std::size_t interfaces_max = 16;
         k.interfaces.clear();
         r.each(v, [&](const Json& item) {
           std::string name;
           if (r.string(item, name, 15)) k.interfaces.push_back(std::move(name));
         });
         if (v.is_array() && (v.empty() || v.size() > interfaces_max))
           r.fail("expected 1 to 16 interfaces");
       }},
      {"attach", "auto|xdp_native|xdp_generic|tc", "auto",
       "Where the kernel hands packets to the program; `auto`: the first of the others that all "
       "interfaces allow.",
       [](Reader& r, const Json& v, MediaKernelConfig& k) {
         r.choice<MediaAttach>(v,
                               {{"auto", MediaAttach::automatic},
                                {"xdp_native", MediaAttach::xdp_native},
                                {"xdp_generic", MediaAttach::xdp_generic},
                                {"tc", MediaAttach::tc}},
                               k.attach);
       }},
      {"folder", "absolute path", "/sys/fs/bpf/tandem",
       "On a bpf file system; what is there goes on relaying when the process dies. One for each "
       "switch.",
       [](Reader& r, const Json& v, MediaKernelConfig& k) {
         if (r.string(v, k.folder, 200) && (k.folder.empty() || k.folder.front() != '/'))
           r.fail("\"" + k.folder + "\" is no absolute path");
       }},
      {"packets_per_s_max", "integer 50..1000000, 0", "5000",
       "Packets of one direction of a call that are passed on in a second; 0: any number.",
       [](Reader& r, const Json& v, MediaKernelConfig& k) {
         std::int64_t wide = 0;
         if (!r.integer(v, 0, 1'000'000, wide)) return;
         if (wide != 0 && wide < 50) r.fail(std::to_string(wide) + " is below 50 and not 0");
         k.packets_per_s_max = static_cast<std::uint32_t>(wide);
       }},
  };
  return fields;
}

const std::vector<Field<SwitchConfig>>& media_fields() {
  static const std::vector<Field<SwitchConfig>> fields = {
      {"address", "IP", "address of the first listener", "Address of relayed media.",
       [](Reader& r, const Json& v, SwitchConfig& c) {
         std::string text;
         if (!r.string(v, text)) return;
         if (auto ip = IpAddress::parse(text)) {
           c.media_address = *ip;
         } else {
           r.fail(ip.error().message);
         }
       }},
      {"address6", "IPv6", "none", "IPv6 address of relayed media beside an IPv4 `address`.",
       [](Reader& r, const Json& v, SwitchConfig& c) {
         std::string text;
         if (!r.string(v, text)) return;
         auto ip = IpAddress::parse(text);
         if (!ip || !ip->is_ipv6()) {
           r.fail("\"" + text + "\" is no IPv6 address");
         } else {
           c.media_address6 = *ip;
         }
       }},
      {"ports", "[low, high]", "[10000, 39999]", "Range of RTP and RTCP ports (M-02).",
       [](Reader& r, const Json& v, SwitchConfig& c) {
         std::vector<std::int64_t> ports;
         r.each(v, [&](const Json& item) {
           std::int64_t port = 0;
           if (r.integer(item, 1024, 65535, port)) ports.push_back(port);
         });
         if (!v.is_array()) return;
         if (v.size() != 2 || (ports.size() == 2 && ports[1] - ports[0] < 3)) {
           r.fail("expected [low, high] with room for four ports");
         } else if (ports.size() == 2) {
           c.media_port_low = static_cast<std::uint16_t>(ports[0]);
           c.media_port_high = static_cast<std::uint16_t>(ports[1]);
         }
       }},
      {"backend", "auto|portable|fast|kernel", "auto",
       "How packets are relayed (docs/media.md). `auto`: `kernel` where `kernel` names interfaces "
       "and it can be used, else `portable`. One that is named and cannot be used ends the start.",
       [](Reader& r, const Json& v, SwitchConfig& c) {
         r.choice<MediaBackend>(v,
                                {{"auto", MediaBackend::automatic},
                                 {"portable", MediaBackend::portable},
                                 {"fast", MediaBackend::fast},
                                 {"kernel", MediaBackend::kernel}},
                                c.media_backend);
       }},
      {"kernel", "object", "none", "What the `kernel` backend needs.",
       [](Reader& r, const Json& v, SwitchConfig& c) {
         read_object(r, v, media_kernel_fields(), {"interfaces"}, c.media_kernel);
       }},
      {"shards", "integer 1..64", "1", "Relay threads; a call stays on one of them.",
       [](Reader& r, const Json& v, SwitchConfig& c) { r.number(v, 1, 64, c.media_shards); }},
      {"nice", "integer -20..0", "-10",
       "Priority of the relay threads where the system allows it; 0: that of the program.",
       [](Reader& r, const Json& v, SwitchConfig& c) { r.number(v, -20, 0, c.media_nice); }},
      {"jitter_buffer_ms", "[least, greatest]", "[20, 200]",
       "Bounds of the wait, 0 to 1000, where packets are put in order for a codec that keeps "
       "state; "
       "greatest 0: none (M-16).",
       [](Reader& r, const Json& v, SwitchConfig& c) {
         std::vector<std::int64_t> bounds;
         r.each(v, [&](const Json& item) {
           std::int64_t bound = 0;
           if (r.integer(item, 0, 1000, bound)) bounds.push_back(bound);
         });
         if (!v.is_array()) return;
         if (v.size() != 2 || (bounds.size() == 2 && bounds[0] > bounds[1])) {
           r.fail("expected [least, greatest]");
         } else if (bounds.size() == 2) {
           c.media_jitter_min_ms = static_cast<std::int32_t>(bounds[0]);
           c.media_jitter_max_ms = static_cast<std::int32_t>(bounds[1]);
         }
       }},
      {"dtls_certificate", "text", "none",
       "File with the certificate for DTLS-SRTP (`srtp_keys`), in PEM; none: the switch makes one "
       "for itself, since descriptions say which it is.",
       [](Reader& r, const Json& v, SwitchConfig& c) { r.string(v, c.media_dtls_certificate); }},
      {"dtls_key", "text", "none", "File with its key, in PEM.",
       [](Reader& r, const Json& v, SwitchConfig& c) { r.string(v, c.media_dtls_key); }},
  };
  return fields;
}

const std::vector<Field<SwitchConfig>>& admin_fields() {
  static const std::vector<Field<SwitchConfig>> fields = {
      {"listen", "IP:PORT", "required", "Address of the admin API; absent: none.",
       [](Reader& r, const Json& v, SwitchConfig& c) {
         std::string text;
         if (!r.string(v, text)) return;
         if (auto address = SocketAddress::parse(text, 8080)) {
           c.admin_listen = *address;
         } else {
           r.fail(address.error().message);
         }
       }},
      {"token", "text", "none", "Bearer token; required off loopback.",
       [](Reader& r, const Json& v, SwitchConfig& c) { r.string(v, c.admin_token); }},
  };
  return fields;
}

const std::vector<Field<CdrSinkConfig>>& sink_fields() {
  static const std::vector<Field<CdrSinkConfig>> fields = {
      {"type", "sqlite|csv|files|http|postgresql|mariadb|slots", "required",
       "Kind of sink: day files (C-03), a file an hour (C-04), files of an interval for programs "
       "that take them (C-05), a server that records are posted to (C-06), a database server "
       "(C-03), sums for reports over long times (C-11).",
       [](Reader& r, const Json& v, CdrSinkConfig& s) {
         static constexpr std::string_view types[] = {"sqlite",     "csv",     "files", "http",
                                                      "postgresql", "mariadb", "slots"};
         if (r.string(v, s.type) &&
             std::find(std::begin(types), std::end(types), s.type) == std::end(types)) {
           r.fail("\"" + s.type +
                  "\" is not one of sqlite, csv, files, http, postgresql, mariadb, slots");
         }
       }},
      {"path", "folder", "\"cdr\", files and later: \"cdr-TYPE\"",
       "Where its files go; of a sink on another machine, where it keeps its place.",
       [](Reader& r, const Json& v, CdrSinkConfig& s) { r.string(v, s.path, 4096); }},
      {"header", "boolean", "true", "csv, files: a header line in each file.",
       [](Reader& r, const Json& v, CdrSinkConfig& s) { r.boolean(v, s.header); }},
      {"format", "csv|vos", "csv", "csv, files: RFC 4180, or the 18 fields of C-04 with bars.",
       [](Reader& r, const Json& v, CdrSinkConfig& s) {
         if (r.string(v, s.format) && s.format != "csv" && s.format != "vos") {
           r.fail("\"" + s.format + "\" is not one of csv, vos");
         }
       }},
      {"unanswered", "boolean", "true", "csv, files: unanswered calls too (C-04).",
       [](Reader& r, const Json& v, CdrSinkConfig& s) { r.boolean(v, s.unanswered); }},
      {"interval_s", "integer 60..86400", "300", "files: time that a file is for (C-05).",
       [](Reader& r, const Json& v, CdrSinkConfig& s) { r.number(v, 60, 86'400, s.interval_s); }},
      {"records_max", "integer 0..10000000", "0", "files: records of a file; 0: any number.",
       [](Reader& r, const Json& v, CdrSinkConfig& s) {
         r.number(v, 0, 10'000'000, s.records_max);
       }},
      {"files_max", "integer 0..1000000", "2048",
       "files: complete files that are kept, the oldest go first; 0: all.",
       [](Reader& r, const Json& v, CdrSinkConfig& s) { r.number(v, 0, 1'000'000, s.files_max); }},
      {"set_aside_after", "integer 0..1000000", "0",
       "Refusals of one record, as such, before it goes into `SINK.set-aside` beside the journal "
       "and "
       "the next ones are offered; 0: never.",
       [](Reader& r, const Json& v, CdrSinkConfig& s) {
         r.number(v, 0, 1'000'000, s.set_aside_after);
       }},
      {"url", "text", "http: required", "http: `http[s]://host[:port]/path` that gets the records.",
       [](Reader& r, const Json& v, CdrSinkConfig& s) { r.string(v, s.push.url, 2'048); }},
      {"token", "text", "none", "http: bearer token.",
       [](Reader& r, const Json& v, CdrSinkConfig& s) { r.string(v, s.push.token, 4'096); }},
      {"secret", "text", "none", "http: signs each request by HMAC-SHA256 (I-06).",
       [](Reader& r, const Json& v, CdrSinkConfig& s) { r.string(v, s.push.secret, 4'096); }},
      {"tls_ca", "path", "those of the system",
       "http with `https`: PEM, authorities that the server's certificate must come from.",
       [](Reader& r, const Json& v, CdrSinkConfig& s) { r.string(v, s.push.tls_ca, 4'096); }},
      {"tls_certificate", "path", "none",
       "http with `https`: PEM, the certificate for a server that asks for one.",
       [](Reader& r, const Json& v, CdrSinkConfig& s) {
         r.string(v, s.push.tls_certificate, 4'096);
       }},
      {"tls_key", "path", "the file of `tls_certificate`", "PEM: its key, without a passphrase.",
       [](Reader& r, const Json& v, CdrSinkConfig& s) { r.string(v, s.push.tls_key, 4'096); }},
      {"headers", "array of \"Name: value\"", "[]", "http: further header lines, at most 16.",
       [](Reader& r, const Json& v, CdrSinkConfig& s) {
         s.push.headers.clear();
         r.each(v, [&](const Json& item) {
           std::string line;
           if (r.string(item, line, 1'024)) s.push.headers.push_back(std::move(line));
         });
       }},
      {"connection", "text", "required of postgresql, mariadb",
       "postgresql: as libpq takes it; mariadb: `host=… port=… socket=… user=… password=… "
       "database=… tls_ca=…`.",
       [](Reader& r, const Json& v, CdrSinkConfig& s) { r.string(v, s.sql.connection, 4'096); }},
      {"table", "text", "cdr", "postgresql, mariadb: name of the table.",
       [](Reader& r, const Json& v, CdrSinkConfig& s) { r.string(v, s.sql.table); }},
      {"source", "text", "tandem",
       "postgresql, mariadb: this switch in the table; one name for each that writes there.",
       [](Reader& r, const Json& v, CdrSinkConfig& s) { r.string(v, s.sql.source); }},
      {"retention_days", "integer 0..36500", "0",
       "postgresql, mariadb: whole days before today whose partitions are kept; 0: all (O-09).",
       [](Reader& r, const Json& v, CdrSinkConfig& s) {
         r.number(v, 0, 36'500, s.sql.retention_days);
       }},
      {"ahead_days", "integer 0..60", "3",
       "postgresql, mariadb: days whose partitions are made ahead (O-08).",
       [](Reader& r, const Json& v, CdrSinkConfig& s) { r.number(v, 0, 60, s.sql.ahead_days); }},
      {"batch_records", "integer 1..100000", "http: 500, others: 10000",
       "http: most records of a request, up to 10000; postgresql, mariadb: of a transaction.",
       [](Reader& r, const Json& v, CdrSinkConfig& s) {
         r.number(v, 1, 100'000, s.sql.batch_records);
         s.push.batch_records = s.sql.batch_records;
       }},
      {"timeout_ms", "integer 100..600000", "http: 10000, others: 30000",
       "http: for a request, up to 120000; postgresql, mariadb: for a step of a transaction, from "
       "2000.",
       [](Reader& r, const Json& v, CdrSinkConfig& s) {
         r.number(v, 100, 600'000, s.sql.timeout_ms);
         s.push.timeout_ms = s.sql.timeout_ms;
       }},
  };
  return fields;
}

namespace {

void read_sink(Reader& r, const Json& v, CdrSinkConfig& sink) {
  const std::size_t errors = r.error_count();
  read_object(r, v, sink_fields(), {"type"}, sink);
  TlsConfig tls;
  tls.ca = sink.push.tls_ca;
  tls.certificate = sink.push.tls_certificate;
  tls.key = sink.push.tls_key;
  if (r.error_count() == errors && tls != TlsConfig{}) check_tls_files(r, tls, "tls_");
}

}  // namespace

const std::vector<Field<SwitchConfig>>& cdr_fields() {
  static const std::vector<Field<SwitchConfig>> fields = {
      {"journal", "folder", "\"journal\"", "Where the journal's segments live.",
       [](Reader& r, const Json& v, SwitchConfig& c) { r.string(v, c.cdr_journal, 4096); }},
      {"commit_interval_ms", "integer 0..100", "4",
       "Commits of the journal start so far apart, unless 64 records wait. Answers and payments "
       "wait "
       "for one: less is a shorter set-up, and more flushes of the disk. Takes a restart.",
       [](Reader& r, const Json& v, SwitchConfig& c) {
         r.number(v, 0, 100, c.cdr_commit_interval_ms);
       }},
      {"sinks", "array", "[{\"type\": \"sqlite\"}]", "Where records go, see below.",
       [](Reader& r, const Json& v, SwitchConfig& c) {
         c.cdr_sinks.clear();
         r.each(v, [&](const Json& item) {
           CdrSinkConfig sink;
           read_sink(r, item, sink);
           c.cdr_sinks.push_back(std::move(sink));
         });
       }},
  };
  return fields;
}

}  // namespace tandem::config
