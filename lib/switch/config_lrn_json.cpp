// Keys of number portability: what a gateway says of it, and the resolvers.
#include <string>
#include <utility>

#include "base/text.hpp"
#include "io/dns_message.hpp"
#include "switch/config_fields_json.hpp"
#include "switch/config_values_json.hpp"
#include "switch/resolve.hpp"

namespace tandem::config {

namespace {

void read_resolver_addresses(Reader& r, const Json& v, std::vector<SocketAddress>& addresses) {
  std::vector<GatewayAddress> read;
  r.each(v, [&](const Json& item) {
    std::string text;
    if (!r.string(item, text)) return;
    auto resolved = resolve_gateway_address(text, r.looks_outside());
    if (!resolved) return r.fail(resolved.error().message);
    read.insert(read.end(), resolved->begin(), resolved->end());
  });
  for (const GatewayAddress& address : read) {
    if (address.network.prefix_length != (address.network.address.is_ipv6() ? 128 : 32)) {
      r.fail("\"" + address.text + "\" is a block; a question needs one address");
    } else {  // the kind, which says what no port means, may follow
      addresses.push_back({address.network.address, address.port.value_or(0)});
    }
  }
  if (addresses.size() > 16)
    r.fail(std::to_string(addresses.size()) + " addresses are more than 16");
}

/// Visible characters of ASCII only: it becomes part of a request line.
void read_path(Reader& r, const Json& v, std::string& path) {
  std::string text;
  if (!r.string(v, text, 1024)) return;
  bool good = text.starts_with('/');
  for (unsigned char c : text)
    good = good && c > 0x20 && c < 0x7f && c != '#';
  if (!good || text.find("{number}") == std::string::npos) {
    r.fail("\"" + text + "\" is no path such as \"/lrn?number={number}\"");
    return;
  }
  path = std::move(text);
}

void read_header_lines(Reader& r, const Json& v, std::vector<std::string>& headers) {
  std::size_t count = 0;
  r.each(v, [&](const Json& item) {
    std::string line;
    if (++count > 16) {
      r.fail("more than 16 headers");
      return;
    }
    if (!r.string(item, line, 1024)) return;
    const std::size_t colon = line.find(": ");
    bool good = colon != std::string::npos && colon > 0 && colon + 2 < line.size();
    for (std::size_t i = 0; i < line.size(); ++i) {
      const auto c = static_cast<unsigned char>(line[i]);
      const bool is_of_name = std::isalnum(c) != 0 || c == '-' || c == '_';
      good = good && c >= 0x20 && c < 0x7f && (i >= colon || is_of_name);
    }
    const std::string name = line.substr(0, colon);
    for (const char* own : {"Host", "Content-Length", "Transfer-Encoding", "Connection"})
      good = good && !equals_ignoring_case(name, own);
    if (!good) {
      r.fail("expected \"Name: value\", with a name that the switch does not send itself");
      return;
    }
    headers.push_back(std::move(line));
  });
}

/// A key, or a JSON pointer that begins with '/'.
void read_answer_key(Reader& r, const Json& v, std::string& key) {
  std::string text;
  if (!r.string(v, text, 128)) return;
  bool good = !text.empty();
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool is_bare_tilde = text.front() == '/' && text[i] == '~' &&
                               (i + 1 == text.size() || (text[i + 1] != '0' && text[i + 1] != '1'));
    good = good && static_cast<unsigned char>(text[i]) >= 0x20 && !is_bare_tilde;
  }
  if (!good) {
    r.fail("\"" + text + "\" is neither a key nor a JSON pointer");
    return;
  }
  key = std::move(text);
}

void read_suffix(Reader& r, const Json& v, std::string& suffix) {
  std::string text;
  if (!r.string(v, text, lrn_suffix_bytes_max)) return;
  if (text.empty() || !io::dns::is_name(text)) {
    r.fail("\"" + text + "\" is no name such as \"e164.arpa\"");
    return;
  }
  suffix = std::move(text);
}

}  // namespace

const std::vector<Field<LrnGatewayConfig>>& lrn_fields() {
  using L = LrnGatewayConfig;
  static const std::vector<Field<L>> fields = {
      {"resolver", "id", "required", "Who is asked: one of `lrn_resolvers[]` (R-20).",
       [](Reader& r, const Json& v, L& l) { read_id(r, v, l.resolver); }},
      {"enable", "boolean", "true", "Whether numbers are looked up.",
       [](Reader& r, const Json& v, L& l) { r.boolean(v, l.enable); }, "lrnEnable"},
      {"eat_prefix_length", "integer 0..32", "0",
       "Leading characters of the callee that are not asked for; routing puts them before the LRN.",
       [](Reader& r, const Json& v, L& l) { r.number(v, 0, 32, l.eat_prefix_length); },
       "lrnEatPrefixLength"},
      {"failure_action", "reject|continue", "reject",
       "A callee that could not be looked up: `LrnFailed`, or on with the dialled number; also 0 "
       "and 1.",
       [](Reader& r, const Json& v, L& l) {
         if (v.is_string()) {
           r.choice<LrnFailureAction>(
               v, {{"reject", LrnFailureAction::reject}, {"continue", LrnFailureAction::go_on}},
               l.failure_action);
           return;
         }
         std::int64_t number = 0;
         if (r.integer(v, 0, 1, number))
           l.failure_action = number == 0 ? LrnFailureAction::reject : LrnFailureAction::go_on;
       },
       "lrnFailureAction"},
      {"interstate_billing_prefix", "text", "\"\"",
       "Put before the callee for the customer's price when caller and callee are in different "
       "regions.",
       [](Reader& r, const Json& v, L& l) {
         read_billing_prefix(r, v, l.interstate_billing_prefix);
       },
       "lrnInterstateBillingPrefix"},
      {"undetermined_billing_prefix", "text", "\"\"", "And when one of the regions is unknown.",
       [](Reader& r, const Json& v, L& l) {
         read_billing_prefix(r, v, l.undetermined_billing_prefix);
       },
       "lrnUndeterminedBillingPrefix"},
      {"route_by", "lrn|dialled", "lrn",
       "The number that vendors are chosen by; `dialled`: the answer is for billing only.",
       [](Reader& r, const Json& v, L& l) {
         r.choice<bool>(v, {{"lrn", true}, {"dialled", false}}, l.routes_by_lrn);
       }},
      {"trust_npdi", "boolean", "false",
       "A Request-URI with `npdi` (RFC 4694) is believed and not looked up again.",
       [](Reader& r, const Json& v, L& l) { r.boolean(v, l.trusts_npdi); }},
      {"memo", "text", "\"\"", "Yours.", [](Reader& r, const Json& v, L&) { read_memo(r, v); }},
  };
  return fields;
}

const std::vector<Field<LrnResolverConfig>>& lrn_resolver_fields() {
  using L = LrnResolverConfig;
  static const std::vector<Field<L>> fields = [] {
    std::vector<Field<L>> table = {
        {"id", "id", "required", "Name of the resolver (R-20).",
         [](Reader& r, const Json& v, L& l) { read_id(r, v, l.id); }},
        {"kind", "sip302|http|enum|host", "required",
         "INVITE to a redirect server, HTTP GET, NAPTR records of name servers, or the hook of the "
         "host "
         "program.",
         [](Reader& r, const Json& v, L& l) {
           r.choice<LrnResolverKind>(v,
                                     {{"sip302", LrnResolverKind::sip302},
                                      {"http", LrnResolverKind::http},
                                      {"enum", LrnResolverKind::naptr},
                                      {"host", LrnResolverKind::host}},
                                     l.kind);
         }},
        {"addresses", "array of IP, IP:PORT or name", "none",
         "Servers, port 5060, 80 (`tls`: 443) or 53; a repeated question goes to the next one. Not "
         "for `host`.",
         [](Reader& r, const Json& v, L& l) { read_resolver_addresses(r, v, l.addresses); }},
        {"transport", "udp|tcp", "udp", "sip302: how they are reached.",
         [](Reader& r, const Json& v, L& l) {
           r.choice<SipTransport>(v, {{"udp", SipTransport::udp}, {"tcp", SipTransport::tcp}},
                                  l.transport);
         }},
        {"caller", "text", "\"\"", "sip302: user part of From.",
         [](Reader& r, const Json& v, L& l) { r.string(v, l.caller, 64); }},
        {"path", "text", "\"/lrn?number={number}\"", "http: what is asked for.",
         [](Reader& r, const Json& v, L& l) { read_path(r, v, l.path); }},
        {"headers", "array of \"Name: value\"", "[]", "http: further header lines, at most 16.",
         [](Reader& r, const Json& v, L& l) { read_header_lines(r, v, l.headers); }},
        {"lrn_key", "text", "\"lrn\"",
         "http: key of the answer, or JSON pointer into it; absent, null or \"\": not ported.",
         [](Reader& r, const Json& v, L& l) { read_answer_key(r, v, l.lrn_key); }},
        {"region_key", "text", "\"region\"", "http: the same; sip302, enum: parameter of the URI.",
         [](Reader& r, const Json& v, L& l) { read_answer_key(r, v, l.region_key); }},
        {"suffix", "name of DNS", "e164.arpa",
         "enum: where the tree of numbers begins; private trees have names of their own.",
         [](Reader& r, const Json& v, L& l) { read_suffix(r, v, l.suffix); }},
        {"timeout_ms", "integer 50..10000", "1000", "For each attempt.",
         [](Reader& r, const Json& v, L& l) { r.number(v, 50, 10'000, l.timeout_ms); }},
        {"retries", "integer 0..5", "1",
         "Further attempts when nobody answered; a host is asked once.",
         [](Reader& r, const Json& v, L& l) { r.number(v, 0, 5, l.retries); }},
        {"cache_s", "integer 0..86400", "300", "How long an answer is good; 0: it is not kept.",
         [](Reader& r, const Json& v, L& l) { r.number(v, 0, 86'400, l.cache_s); }},
        {"cache_entries", "integer 1..10000000", "100000", "Answers kept; the oldest goes first.",
         [](Reader& r, const Json& v, L& l) { r.number(v, 1, 10'000'000, l.cache_entries); }},
        {"queries_max", "integer 1..65536", "1000",
         "Numbers that each worker asks for at once; more fail.",
         [](Reader& r, const Json& v, L& l) { r.number(v, 1, 65'536, l.queries_max); }},
        {"connections", "integer 1..64", "4", "http: to each address from each worker.",
         [](Reader& r, const Json& v, L& l) { r.number(v, 1, 64, l.connections); }},
        {"memo", "text", "\"\"", "Yours.", [](Reader& r, const Json& v, L&) { read_memo(r, v); }},
    };
    const std::vector<Field<L>> https = https_fields<L>();
    table.insert(table.end() - 1, https.begin(), https.end());
    return table;
  }();
  return fields;
}

}  // namespace tandem::config
