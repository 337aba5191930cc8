// Keys of customer and vendor gateways.
#include <string>
#include <type_traits>
#include <utility>

#include "switch/config_fields_json.hpp"
#include "switch/config_values_json.hpp"

namespace tandem::config {

namespace {

void read_pairs(Reader& r, const Json& v, std::vector<NumberPair>& pairs) {
  r.each(v, [&](const Json& item) {
    std::string text;
    if (!r.string(item, text, 80)) return;
    auto pair = NumberPair::parse(text);
    if (!pair) {
      r.fail(pair.error().message);
    } else {
      pairs.push_back(std::move(*pair));
    }
    if (pairs.size() > 1000) r.fail("more than 1000 pairs");
  });
}

void read_max_call(Reader& r, const Json& v, std::optional<MaxCallDuration>& limit) {
  MaxCallDuration read;
  if (v.is_array()) {
    if (v.size() != 2) {
      r.fail("two bounds are needed, found " + std::to_string(v.size()));
      return;
    }
    bool is_read = true;
    for (const auto& [index, bound] : {std::pair(0, &read.lower_s), std::pair(1, &read.upper_s)}) {
      const auto at = static_cast<std::size_t>(index);
      Reader::Step step(r, at);
      is_read = r.integer(v[at], 0, int32_max, *bound) && is_read;
    }
    if (!is_read) return;
    const bool is_one_unlimited = (read.lower_s == 0) != (read.upper_s == 0);
    if (read.upper_s < read.lower_s || is_one_unlimited) {
      r.fail("[" + std::to_string(read.lower_s) + ", " + std::to_string(read.upper_s) +
             "] is no range: both bounds are 0, or 0 < lower <= upper");
      return;
    }
  } else if (r.integer(v, 0, int32_max, read.upper_s)) {
    read.lower_s = read.upper_s;
  } else {
    return;
  }
  limit = read;
}

/// The keys that both kinds of gateway have.
const std::vector<Field<ForwardPoolConfig>>& forward_pool_fields() {
  using P = ForwardPoolConfig;
  static const std::vector<Field<P>> fields = {
      {"numbers", "", "", "", [](Reader& r, const Json& v, P& p) { read_id(r, v, p.numbers); }},
      {"rotation", "", "", "",
       [](Reader& r, const Json& v, P& p) {
         r.choice<bool>(v, {{"poll", false}, {"random", true}}, p.is_random.emplace());
       }},
  };
  return fields;
}

template <class G>
std::vector<Field<G>> gateway_fields() {
  return {
      {"id", "id", "required", "Name of the gateway.",
       [](Reader& r, const Json& v, G& g) { read_id(r, v, g.id); }},
      {"addresses", "array of IP, IP/LENGTH, IP:PORT or name", "required, but for dynamic ones",
       "Signalling addresses (A-03). A name stands for what name servers say of it while the "
       "switch "
       "runs (RFC 3263): without a port its SRV records, of `NAME:PORT` its addresses.",
       [](Reader& r, const Json& v, G& g) { read_addresses(r, v, g.addresses); }},
      {"account", "id", "none",
       "Who pays (customer; without one its calls are refused) or is owed (vendor).",
       [](Reader& r, const Json& v, G& g) { read_id(r, v, g.account); }},
      {"locked", "boolean", "false", "Takes no calls (R-14).",
       [](Reader& r, const Json& v, G& g) { r.boolean(v, g.locked); }},
      {"line_limit", "integer -1..1000000", "-1",
       "Simultaneous calls; -1 unlimited, 0 none (R-10).",
       [](Reader& r, const Json& v, G& g) { r.number(v, -1, 1'000'000, g.line_limit); }},
      {"priority", "integer 0..65535", "0", "Lower is tried first (R-03; A-03 for customers).",
       [](Reader& r, const Json& v, G& g) { r.number(v, 0, 65535, g.priority); }},
      {"rewrite_caller", "rules", "none", "Rewrite rules for the caller (N-01..N-03).",
       [](Reader& r, const Json& v, G& g) { read_rewrite(r, v, g.rewrite_caller); }},
      {"rewrite_callee", "rules", "none", "Rewrite rules for the callee.",
       [](Reader& r, const Json& v, G& g) { read_rewrite(r, v, g.rewrite_callee); }},
      {"media", "auto|on|off|must_on", "auto", "Media through the switch or direct (M-01).",
       [](Reader& r, const Json& v, G& g) { read_media_mode(r, v, g.media); }},
      {"codecs", "array of names", "any",
       "Codecs of its calls; those it gets offer them in this order (M-07). `NAME/RATE` for one "
       "clock rate. Of a kind of media, audio or video, that none is of, any may be.",
       [](Reader& r, const Json& v, G& g) { read_codecs(r, v, g.codecs); }, "sipCodecs"},
      {"no_media_hangup_s", "integer 0..86400", "parameter",
       "Ends a call without media (M-05); 0: never.",
       [](Reader& r, const Json& v, G& g) {
         read_optional<std::int32_t, 0, 86400>(r, v, g.no_media_hangup_s);
       }},
      {"rtp_interrupt", "none|to_remote|from_remote|both", "none",
       "Ends a call when media to, from or either way of the gateway stops (M-06), after "
       "`no_media_hangup_s` or 60 s.",
       [](Reader& r, const Json& v, G& g) { read_rtp_interrupt(r, v, g.rtp_interrupt); }},
      {"geofence", "object", "the switch's", "Where it may be, see below (S-01).",
       [](Reader& r, const Json& v, G& g) { read_geofence(r, v, g.geofence); }},
      {"hold_tone", "WAV file or tone:NAME/COUNTRY", "none",
       "What the other party of its calls hears again and again while it waits for a transfer that "
       "this one has ordered (T-05).",
       [](Reader& r, const Json& v, G& g) { r.string(v, g.hold_tone, 1024); }},
      {"record", "boolean", "false",
       "Answered calls of it are recorded while media is relayed, as `recording` has it (M-15).",
       [](Reader& r, const Json& v, G& g) { r.boolean(v, g.record); }, "mediaRecord"},
      {"forward_pool", "{\"numbers\": id, \"rotation\": poll|random}", "none",
       "Number group whose numbers the first Diversion shows instead of who sent the call on, of a "
       "customer's calls or of those to a vendor (R-24).",
       [](Reader& r, const Json& v, G& g) {
         read_object(r, v, forward_pool_fields(), {"numbers"}, g.forward_pool.emplace());
       }},
      {"max_call_s", "integer 0..2147483647, or [LOWER, UPPER]", "parameter",
       "Longest call (B-12); of two bounds each call gets a time between them; 0: unlimited.",
       [](Reader& r, const Json& v, G& g) { read_max_call(r, v, g.max_call_s); }},
      {"registration",
       std::is_same_v<G, VendorGateway> ? "static|dynamic|outbound" : "static|dynamic", "static",
       std::is_same_v<G, VendorGateway>
           ? "Dynamic: it registers here with its `auth` and is called where it registered (P-05). "
             "Outbound: the switch registers at its first address with its `auth` (R-25)."
           : "Dynamic: it registers here with its `auth` and is known by that, or by its "
             "credentials (P-05, A-03).",
       [](Reader& r, const Json& v, G& g) {
         r.choice<GatewayRegistration>(v,
                                       {{"static", GatewayRegistration::fixed},
                                        {"dynamic", GatewayRegistration::dynamic},
                                        {"outbound", GatewayRegistration::outbound}},
                                       g.registration);
       }},
      {"callee_restriction", "none|phones|no_phones", "none",
       "Whether callees must, or must not, be phones of this switch (N-06).",
       [](Reader& r, const Json& v, G& g) {
         r.choice<CalleeRestriction>(v,
                                     {{"none", CalleeRestriction::none},
                                      {"phones", CalleeRestriction::phones},
                                      {"no_phones", CalleeRestriction::no_phones}},
                                     g.callee_restriction);
       }},
      {"auth", "object", "none", "Digest credentials (P-04).",
       [](Reader& r, const Json& v, G& g) {
         g.auth.emplace();
         read_object(r, v, auth_fields(), {"username", "password"}, *g.auth);
       }},
      {"caller_lengths", "array of 0..32", "any", "Allowed lengths of the caller (N-06).",
       [](Reader& r, const Json& v, G& g) { read_lengths(r, v, g.numbers.caller_lengths); }},
      {"callee_lengths", "array of 0..32", "any", "Allowed lengths of the callee.",
       [](Reader& r, const Json& v, G& g) { read_lengths(r, v, g.numbers.callee_lengths); }},
      {"allow_caller_prefixes", "array", "any",
       "The caller must begin with one of them (N-06, A-03).",
       [](Reader& r, const Json& v, G& g) {
         read_prefixes(r, v, g.numbers.allow_caller_prefixes);
       }},
      {"deny_caller_prefixes", "array", "none", "The caller must begin with none of them.",
       [](Reader& r, const Json& v, G& g) { read_prefixes(r, v, g.numbers.deny_caller_prefixes); }},
      {"allow_callee_prefixes", "array", "any", "The callee must begin with one of them.",
       [](Reader& r, const Json& v, G& g) {
         read_prefixes(r, v, g.numbers.allow_callee_prefixes);
       }},
      {"deny_callee_prefixes", "array", "none", "The callee must begin with none of them.",
       [](Reader& r, const Json& v, G& g) { read_prefixes(r, v, g.numbers.deny_callee_prefixes); }},
      {"allow_caller_groups", "array of ids", "any",
       "The caller must be in one of these number groups.",
       [](Reader& r, const Json& v, G& g) { r.strings(v, g.number_groups.allow_caller); }},
      {"deny_caller_groups", "array of ids", "none", "The caller must be in none of them.",
       [](Reader& r, const Json& v, G& g) { r.strings(v, g.number_groups.deny_caller); }},
      {"allow_callee_groups", "array of ids", "any",
       "The callee must be in one of these number groups.",
       [](Reader& r, const Json& v, G& g) { r.strings(v, g.number_groups.allow_callee); }},
      {"deny_callee_groups", "array of ids", "none", "The callee must be in none of them.",
       [](Reader& r, const Json& v, G& g) { r.strings(v, g.number_groups.deny_callee); }},
      {"allow_pairs", "array of CALLER:CALLEE prefixes", "any",
       "Caller and callee must begin as one of these pairs say (N-06).",
       [](Reader& r, const Json& v, G& g) { read_pairs(r, v, g.numbers.allow_pairs); }},
      {"deny_pairs", "array of CALLER:CALLEE prefixes", "none", "And as none of these.",
       [](Reader& r, const Json& v, G& g) { read_pairs(r, v, g.numbers.deny_pairs); }},
      {"allow_same_city", "array of prefixes", "any",
       "Caller and callee must begin with the same one of these city codes (N-06).",
       [](Reader& r, const Json& v, G& g) { read_prefixes(r, v, g.numbers.allow_same_city); }},
      {"deny_same_city", "array of prefixes", "none", "And not with the same one of these.",
       [](Reader& r, const Json& v, G& g) { read_prefixes(r, v, g.numbers.deny_same_city); }},
      {"caller_kinds", "array of city|mobile|other", "any",
       "What the caller may be by `numbering_plan[]`, and as long as it says there (N-06).",
       [](Reader& r, const Json& v, G& g) { read_number_kinds(r, v, g.numbers.caller_kinds); }},
      {"callee_kinds", "array of city|mobile|other", "any", "The same for the callee.",
       [](Reader& r, const Json& v, G& g) { read_number_kinds(r, v, g.numbers.callee_kinds); }},
      {"allow_mobile_areas", "array of areas", "any",
       "Callees that are mobiles by `numbering_plan[]` must be at home in one of these areas "
       "(N-06).",
       [](Reader& r, const Json& v, G& g) { r.strings(v, g.numbers.allow_mobile_areas); }},
      {"deny_mobile_areas", "array of areas", "none", "And in none of these.",
       [](Reader& r, const Json& v, G& g) { r.strings(v, g.numbers.deny_mobile_areas); }},
      {"number_transform", "boolean", "false", "`number_transforms[]` hold for it (N-05).",
       [](Reader& r, const Json& v, G& g) { r.boolean(v, g.number_transform); }},
      {"complete_mobile_areas", "array", "[]",
       "Callees that are mobile numbers of these areas get the area code in front (N-04).",
       [](Reader& r, const Json& v, G& g) { r.strings(v, g.complete_mobile_areas); }},
      {"calls_per_second", "integer 0..100000", "0",
       "New calls a second; 0: no limit. Too many are refused, `RateLimited` (customer), or go to "
       "the next vendor (R-22).",
       [](Reader& r, const Json& v, G& g) { r.number(v, 0, 100'000, g.calls_per_second); }},
      {"burst", "integer 0..1000000", "as calls_per_second",
       "Calls at once before `calls_per_second` counts.",
       [](Reader& r, const Json& v, G& g) { r.number(v, 0, 1'000'000, g.burst); }},
      {"min_profit_percent", "-10000..10000, two decimals", "none",
       "Vendors that leave less of the customer's price are passed over (R-18, B-13).",
       [](Reader& r, const Json& v, G& g) { read_percent(r, v, g.min_profit_hundredths); }},
      {"max_price_per_s", "decimal >= 0", "none",
       "Vendors whose second costs more are passed over (R-18).",
       [](Reader& r, const Json& v, G& g) { read_price(r, v, g.max_price_per_s); }},
      {"memo", "text", "\"\"", "Yours.", [](Reader& r, const Json& v, G&) { read_memo(r, v); }},
  };
}

}  // namespace

const std::vector<Field<GatewayAuth>>& auth_fields() {
  static const std::vector<Field<GatewayAuth>> fields = {
      {"username", "text", "required", "Digest user (P-04).",
       [](Reader& r, const Json& v, GatewayAuth& a) { r.string(v, a.username, 128); }},
      {"password", "text", "required", "Digest password.",
       [](Reader& r, const Json& v, GatewayAuth& a) { r.string(v, a.password, 128); }},
      {"realm", "text", "\"tandem\"", "Realm of the challenge; ignored towards vendors.",
       [](Reader& r, const Json& v, GatewayAuth& a) { r.string(v, a.realm, 128); }},
  };
  return fields;
}

const std::vector<Field<SplitEntry>>& split_fields() {
  static const std::vector<Field<SplitEntry>> fields = {
      {"share", "integer 1..1000", "1", "Its part of the calls: share / sum of shares.",
       [](Reader& r, const Json& v, SplitEntry& s) { r.number(v, 1, 1000, s.share); }},
      {"add_prefix", "text", "\"\"", "Put before the callee for routing, not for billing.",
       [](Reader& r, const Json& v, SplitEntry& s) {
         std::string prefix;
         if (!r.string(v, prefix, 32)) return;
         if (!prefix.empty() && !is_number(prefix)) {
           r.fail("\"" + prefix + "\" is no prefix: 0..32 of 0-9 A-Z a-z + * # _");
           return;
         }
         s.add_prefix = std::move(prefix);
       }},
  };
  return fields;
}

const std::vector<Field<CustomerGateway>>& customer_fields() {
  static const std::vector<Field<CustomerGateway>> fields = [] {
    auto table = gateway_fields<CustomerGateway>();
    const std::vector<Field<CustomerGateway>> more = {
        {"sort", "up to two of answer_ratio, lowest_rate, talk_time", "as the parameters say",
         "What goes behind the prefix length and before the priority (R-07).",
         [](Reader& r, const Json& v, CustomerGateway& g) { read_sort(r, v, g.sort); }},
        {"prompts", "{\"AccountBalanceNotEnough\": \"/path.wav\", ...}", "none",
         "What its callers hear before a call is refused for that end reason: a WAV file or "
         "tone:NAME/COUNTRY (M-14).",
         [](Reader& r, const Json& v, CustomerGateway& g) { read_prompts(r, v, g.prompts); }},
        {"reminder", "object", "the account's",
         "What is heard before the end of its calls, see below (M-14).",
         [](Reader& r, const Json& v, CustomerGateway& g) { read_reminder(r, v, g.reminder); }},
        {"announce_remaining", "default|none|minutes|amount", "default",
         "What callers who pay hear before they are connected: how long they can talk, or the "
         "money of "
         "who pays. `default`: as the parameter says (M-14).",
         [](Reader& r, const Json& v, CustomerGateway& g) {
           read_remaining(r, v, g.announce_remaining);
         }},
        {"language", "id", "the parameter's", "Voice that says it, and reminders (M-14).",
         [](Reader& r, const Json& v, CustomerGateway& g) { read_id(r, v, g.language); }},
        {"periods", "array", "[]", "Hours and line limits of its calls, see below (R-12).",
         [](Reader& r, const Json& v, CustomerGateway& g) {
           read_periods(r, v, customer_period_fields(), {}, g.periods);
         }},
        {"calendar", "id", "mon-fri work", "Calendar of its periods (R-12).",
         [](Reader& r, const Json& v, CustomerGateway& g) { read_id(r, v, g.calendar); }},
        {"split", "array", "[]", "Calls shared out in proportion, see below (R-19).",
         [](Reader& r, const Json& v, CustomerGateway& g) {
           r.each(v, [&](const Json& item) {
             SplitEntry entry;
             read_object(r, item, split_fields(), {"share"}, entry);
             g.split.push_back(std::move(entry));
           });
           if (g.split.size() > 64)
             r.fail(std::to_string(g.split.size()) + " entries are more than 64");
         }},
        {"caller_from", "from|rpid|display|pai|ppi", "from",
         "Where the caller is read; what the header does not give, From does (P-10).",
         [](Reader& r, const Json& v, CustomerGateway& g) {
           r.choice<CallerField>(v,
                                 {{"from", CallerField::from},
                                  {"rpid", CallerField::rpid},
                                  {"display", CallerField::display},
                                  {"pai", CallerField::pai},
                                  {"ppi", CallerField::ppi}},
                                 g.sip.caller_from);
         }},
        {"callee_from", "request_uri|to|diversion", "request_uri",
         "Where the callee is read; what the header does not give, the Request-URI does (P-11).",
         [](Reader& r, const Json& v, CustomerGateway& g) {
           r.choice<CalleeField>(v,
                                 {{"request_uri", CalleeField::request_uri},
                                  {"to", CalleeField::to},
                                  {"diversion", CalleeField::diversion}},
                                 g.sip.callee_from);
         }},
        {"sip", "object", "{}", "How SIP is spoken with it, see below.",
         [](Reader& r, const Json& v, CustomerGateway& g) {
           read_object(r, v, customer_sip_fields(), {}, g.sip);
         }},
        {"lrn", "object", "none", "Number portability, see below (R-20).",
         [](Reader& r, const Json& v, CustomerGateway& g) {
           read_object(r, v, lrn_fields(), {"resolver"}, g.lrn.emplace());
         }},
        {"use_bound_numbers", "boolean", "false",
         "Calls of callers that are `bound_numbers` of an account are paid by that account; for "
         "gateways whose callers can be believed (B-04).",
         [](Reader& r, const Json& v, CustomerGateway& g) { r.boolean(v, g.uses_bound_numbers); }},
        {"bill_phones", "boolean", "false",
         "Calls of callers that are phones here are paid by the phone's account, with its call "
         "level, packages and month, before `use_bound_numbers`; for gateways whose callers can be "
         "believed (A-03).",
         [](Reader& r, const Json& v, CustomerGateway& g) { r.boolean(v, g.bills_phones); }},
        {"redirect_servers", "as_vendors|off|first|only", "as_vendors",
         "What redirect servers (`sip.follow_redirects` of a vendor is `gateways`) are to its "
         "calls: vendors among others, nothing, asked before all vendors, or alone in deciding "
         "(I-03).",
         [](Reader& r, const Json& v, CustomerGateway& g) {
           read_redirect_servers(r, v, g.redirect_servers);
         }},
        {"vendor_groups", "{\"allow\": []} or {\"deny\": []}", "all",
         "Which gateway groups' vendors its calls may use (R-09).",
         [](Reader& r, const Json& v, CustomerGateway& g) {
           static const std::vector<Field<CustomerGateway>> lists = {
               {"allow", "", "", "",
                [](Reader& rr, const Json& vv, CustomerGateway& gg) {
                  rr.strings(vv, gg.vendor_groups_allow);
                }},
               {"deny", "", "", "",
                [](Reader& rr, const Json& vv, CustomerGateway& gg) {
                  rr.strings(vv, gg.vendor_groups_deny);
                }},
           };
           read_object(r, v, lists, {}, g);
         }},
        {"reconciliation_token", "text", "none",
         "Bearer token for the switch at its other end: it opens the totals of this gateway and "
         "nothing else (B-27).",
         [](Reader& r, const Json& v, CustomerGateway& g) { r.string(v, g.reconciliation_token); }},
    };
    table.insert(table.end() - 1, more.begin(), more.end());
    return table;
  }();
  return fields;
}

const std::vector<Field<CallerPoolConfig>>& caller_pool_fields() {
  using P = CallerPoolConfig;
  static const std::vector<Field<P>> fields = {
      {"numbers", "id", "required", "Number group that callers are taken from (R-24).",
       [](Reader& r, const Json& v, P& p) { read_id(r, v, p.numbers); }},
      {"calls_per_number", "integer 0..1000000", "1",
       "Calls that may show one number at once; 0: any number of them.",
       [](Reader& r, const Json& v, P& p) { r.number(v, 0, 1'000'000, p.calls_per_number); }},
      {"rotation", "poll|random", "poll", "The next free number of the list, or any free one.",
       [](Reader& r, const Json& v, P& p) {
         r.choice<bool>(v, {{"poll", false}, {"random", true}}, p.is_random);
       }},
  };
  return fields;
}

const std::vector<Field<SwitchRules>>& switching_fields() {
  static const std::vector<Field<SwitchRules>> fields = {
      {"until_connect", "boolean", "parameter", "Go on after ringing and early media (R-15).",
       [](Reader& r, const Json& v, SwitchRules& s) { r.boolean(v, s.until_connect.emplace()); }},
      {"after_ringing", "boolean", "parameter", "Go on after 180.",
       [](Reader& r, const Json& v, SwitchRules& s) { r.boolean(v, s.after_ringing.emplace()); }},
      {"after_sdp", "boolean", "parameter", "Go on after a provisional response with SDP.",
       [](Reader& r, const Json& v, SwitchRules& s) { r.boolean(v, s.after_sdp.emplace()); }},
      {"after_rtp", "boolean", "parameter", "Go on after media from the vendor.",
       [](Reader& r, const Json& v, SwitchRules& s) { r.boolean(v, s.after_rtp.emplace()); }},
      {"after_busy", "boolean", "parameter", "Go on after busy.",
       [](Reader& r, const Json& v, SwitchRules& s) { r.boolean(v, s.after_busy.emplace()); }},
      {"stop_codes", "array of 300..699", "[]", "SIP statuses that end the hunt.",
       [](Reader& r, const Json& v, SwitchRules& s) {
         r.each(v, [&](const Json& item) {
           std::int64_t code = 0;
           if (r.integer(item, 300, 699, code))
             s.stop_codes.push_back(static_cast<std::int32_t>(code));
         });
       }},
  };
  return fields;
}

const std::vector<Field<ReconciliationPeer>>& reconciliation_fields() {
  using P = ReconciliationPeer;
  static const std::vector<Field<P>> fields = [] {
    std::vector<Field<P>> table = {
        {"address", "IP:PORT", "required", "Its admin API.",
         [](Reader& r, const Json& v, P& p) {
           std::string text;
           if (!r.string(v, text)) return;
           const auto address = SocketAddress::parse(text);
           if (address && address->port != 0) {
             p.address = *address;
           } else {
             r.fail("\"" + text + "\" is not IP:PORT");
           }
         }},
        {"gateway", "id", "required", "The customer gateway there through which our calls come.",
         [](Reader& r, const Json& v, P& p) { read_id(r, v, p.gateway); }},
        {"token", "text", "none", "Sent as `Authorization: Bearer`.",
         [](Reader& r, const Json& v, P& p) { r.string(v, p.token); }},
    };
    const std::vector<Field<P>> https = https_fields<P>();
    table.insert(table.end(), https.begin(), https.end());
    return table;
  }();
  return fields;
}

const std::vector<Field<VendorGateway>>& vendor_fields() {
  static const std::vector<Field<VendorGateway>> fields = [] {
    auto table = gateway_fields<VendorGateway>();
    const std::vector<Field<VendorGateway>> more = {
        {"prefixes", "array", "every number", "Callees it takes; the longest match counts (R-01).",
         [](Reader& r, const Json& v, VendorGateway& g) { read_prefixes(r, v, g.prefixes); }},
        {"prefix_mode", "extension|expiration", "extension",
         "Whether shorter prefixes may follow (R-02).",
         [](Reader& r, const Json& v, VendorGateway& g) {
           r.choice<PrefixMode>(v,
                                {{"extension", PrefixMode::extension},
                                 {"continual", PrefixMode::extension},
                                 {"expiration", PrefixMode::expiration},
                                 {"terminal", PrefixMode::expiration}},
                                g.prefix_mode);
         }},
        {"customers", "{\"allow\": []} or {\"deny\": []}", "all",
         "Which customer gateways may use it (R-09).",
         [](Reader& r, const Json& v, VendorGateway& g) {
           static const std::vector<Field<VendorGateway>> lists = {
               {"allow", "", "", "",
                [](Reader& rr, const Json& vv, VendorGateway& gg) {
                  rr.strings(vv, gg.customers_allow);
                }},
               {"deny", "", "", "",
                [](Reader& rr, const Json& vv, VendorGateway& gg) {
                  rr.strings(vv, gg.customers_deny);
                }},
           };
           read_object(r, v, lists, {}, g);
         }},
        {"protect", "boolean", "false",
         "Only tried when vendors without it could not deliver (R-08).",
         [](Reader& r, const Json& v, VendorGateway& g) { r.boolean(v, g.protect); }},
        {"require_rate", "boolean", "false",
         "Passed over for numbers that its account has no rate for (R-18).",
         [](Reader& r, const Json& v, VendorGateway& g) { r.boolean(v, g.require_rate); }},
        {"least_cost", "boolean", "false",
         "Where the order looks at prices, its price counts; without it only whether it is the "
         "lowest (R-06).",
         [](Reader& r, const Json& v, VendorGateway& g) { r.boolean(v, g.least_cost); }},
        {"ring_tone", "WAV file or tone:NAME/COUNTRY", "none",
         "What callers hear while it is silent, `ring_tone_after_s` after the call came, where "
         "media is relayed (M-13).",
         [](Reader& r, const Json& v, VendorGateway& g) { r.string(v, g.ring_tone, 1024); }},
        {"ring_tone_after_s", "integer 0..60", "5", "When that begins.",
         [](Reader& r, const Json& v, VendorGateway& g) {
           r.number(v, 0, 60, g.ring_tone_after_s);
         },
         "SS_AUXILIARY_RING_TONE_ACTIVATION_DELAY"},
        {"quality", "boolean", "parameter",
         "Its answered attempts are counted for the order (R-05).",
         [](Reader& r, const Json& v, VendorGateway& g) { r.boolean(v, g.quality.emplace()); }},
        {"caller_pool", "object", "none", "Callers that it is shown, see below (R-24).",
         [](Reader& r, const Json& v, VendorGateway& g) {
           read_object(r, v, caller_pool_fields(), {"numbers"}, g.caller_pool.emplace());
         }},
        {"clearing_account_use_callout_e164", "boolean", "false",
         "Its account is charged by the callee as the vendor gets it, else by that before the "
         "rewrite rules (B-16).",
         [](Reader& r, const Json& v, VendorGateway& g) {
           r.boolean(v, g.clearing_account_use_callout_e164);
         }},
        {"allow_forward_prefixes", "array", "any",
         "Who sent a call on must begin with one of them; calls that nobody sent on pass (N-06, "
         "P-13).",
         [](Reader& r, const Json& v, VendorGateway& g) {
           read_prefixes(r, v, g.allow_forward_prefixes);
         }},
        {"deny_forward_prefixes", "array", "none", "And with none of these.",
         [](Reader& r, const Json& v, VendorGateway& g) {
           read_prefixes(r, v, g.deny_forward_prefixes);
         }},
        {"send_npdi", "boolean", "true",
         "Its Request-URI shows `npdi` and `rn` of calls that were routed by LRN (R-20).",
         [](Reader& r, const Json& v, VendorGateway& g) { r.boolean(v, g.send_npdi); }},
        {"periods", "array", "[]", "Settings that hold at times, see below (R-13).",
         [](Reader& r, const Json& v, VendorGateway& g) {
           read_periods(r, v, period_fields(), {}, g.periods);
         }},
        {"calendar", "id", "mon-fri work", "Calendar of its periods (R-12).",
         [](Reader& r, const Json& v, VendorGateway& g) { read_id(r, v, g.calendar); }},
        {"reconciliation", "object", "none",
         "The switch at the other end, whose count of the same calls is compared (B-27), see "
         "below.",
         [](Reader& r, const Json& v, VendorGateway& g) {
           read_object(r, v, reconciliation_fields(), {"address", "gateway"},
                       g.reconciliation.emplace());
         }},
        {"options_check", "boolean", "false",
         "Asks its addresses by OPTIONS and uses those that answer (R-17).",
         [](Reader& r, const Json& v, VendorGateway& g) { r.boolean(v, g.options_check); }},
        {"switch", "object", "parameters", "Failover rules of this vendor (R-15).",
         [](Reader& r, const Json& v, VendorGateway& g) {
           read_object(r, v, switching_fields(), {}, g.switching);
         }},
        {"sip", "object", "{}", "How SIP is spoken with it, see below.",
         [](Reader& r, const Json& v, VendorGateway& g) {
           read_object(r, v, vendor_sip_fields(), {}, g.sip);
         }},
    };
    table.insert(table.end() - 1, more.begin(), more.end());
    return table;
  }();
  return fields;
}

}  // namespace tandem::config
