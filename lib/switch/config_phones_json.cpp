// Keys of phones, and of what they and customer gateways share.
#include <algorithm>
#include <string>

#include "switch/config_fields_json.hpp"
#include "switch/config_values_json.hpp"

namespace tandem::config {

namespace {

/// Also a boolean, as gateways have it.
void read_lock(Reader& r, const Json& v, PhoneLock& lock) {
  if (v.is_boolean()) {
    lock = v.get<bool>() ? PhoneLock::both : PhoneLock::none;
    return;
  }
  r.choice<PhoneLock>(v,
                      {{"none", PhoneLock::none},
                       {"outgoing", PhoneLock::outgoing},
                       {"incoming", PhoneLock::incoming},
                       {"both", PhoneLock::both}},
                      lock);
}

std::vector<Field<PhoneConfig>> own_phone_fields() {
  using P = PhoneConfig;
  return {
      {"id", "id", "its number", "The same as `number`, where there is one.",
       [](Reader& r, const Json& v, P& p) { read_id(r, v, p.id); }},
      {"number", "number", "required",
       "Number of the phone, and its user name for REGISTER and INVITE (P-05, T-01).",
       [](Reader& r, const Json& v, P& p) { read_number(r, v, p.number); }},
      {"dids", "array of numbers", "[]", "Further numbers that reach it (T-01).",
       [](Reader& r, const Json& v, P& p) { read_numbers(r, v, p.dids); }},
      {"password", "text", "required", "Digest password (P-04).",
       [](Reader& r, const Json& v, P& p) { r.string(v, p.password, 128); }},
      {"account", "id", "required", "Pays for its calls (B-04).",
       [](Reader& r, const Json& v, P& p) { read_id(r, v, p.account); }},
      {"locked", "none|outgoing|incoming|both, or boolean", "none",
       "Which calls are barred (R-14).",
       [](Reader& r, const Json& v, P& p) { read_lock(r, v, p.locked); }},
      {"line_in", "integer -1..1000000", "-1",
       "Calls to it at once; -1 unlimited, 0 none (T-16, R-10).",
       [](Reader& r, const Json& v, P& p) { r.number(v, -1, 1'000'000, p.line_in); }},
      {"line_out", "integer -1..1000000", "-1", "Calls that it makes at once.",
       [](Reader& r, const Json& v, P& p) { r.number(v, -1, 1'000'000, p.line_out); }},
      {"line_limit", "integer -1..1000000", "-1", "Both together.",
       [](Reader& r, const Json& v, P& p) { r.number(v, -1, 1'000'000, p.line_limit); }},
      {"call_level", "internal|local|domestic|international", "as the account's",
       "Farthest calls it may make (N-07); the stricter of this and the account's holds.",
       [](Reader& r, const Json& v, P& p) { read_call_level(r, v, p.call_level); }},
      {"rewrite_callee", "rules", "none", "Rewrite rules for what it dials (N-01).",
       [](Reader& r, const Json& v, P& p) { read_rewrite(r, v, p.rewrite_callee); }},
      {"called_rewrite_caller", "rules", "none", "For the caller that it is shown.",
       [](Reader& r, const Json& v, P& p) { read_rewrite(r, v, p.called_rewrite_caller); }},
      {"called_rewrite_callee", "rules", "none", "For the callee that it is shown.",
       [](Reader& r, const Json& v, P& p) { read_rewrite(r, v, p.called_rewrite_callee); }},
      {"sort", "up to two of answer_ratio, lowest_rate, talk_time", "as the parameters say",
       "What goes behind the prefix length in the order of its vendors (R-07).",
       [](Reader& r, const Json& v, P& p) { read_sort(r, v, p.sort); }},
      {"vendor_groups", "{\"allow\": []} or {\"deny\": []}", "all",
       "Which gateway groups' vendors its calls may use (R-09).",
       [](Reader& r, const Json& v, P& p) {
         static const std::vector<Field<P>> lists = {
             {"allow", "", "", "",
              [](Reader& rr, const Json& vv, P& pp) { rr.strings(vv, pp.vendor_groups_allow); }},
             {"deny", "", "", "",
              [](Reader& rr, const Json& vv, P& pp) { rr.strings(vv, pp.vendor_groups_deny); }},
         };
         read_object(r, v, lists, {}, p);
       }},
      {"min_profit_percent", "-10000..10000, two decimals", "none",
       "Vendors that leave less of its price are passed over (R-18).",
       [](Reader& r, const Json& v, P& p) { read_percent(r, v, p.min_profit_hundredths); }},
      {"max_price_per_s", "decimal >= 0", "none",
       "Vendors whose second costs more are passed over (R-18).",
       [](Reader& r, const Json& v, P& p) { read_price(r, v, p.max_price_per_s); }},
      {"max_call_s", "integer 0..2147483647", "parameter", "Longest call (B-12); 0: unlimited.",
       [](Reader& r, const Json& v, P& p) {
         read_optional<std::int32_t, 0, int32_max>(r, v, p.max_call_s);
       }},
      {"lrn", "object", "none",
       "Number portability of what it dials, as of a customer gateway, see below (R-20).",
       [](Reader& r, const Json& v, P& p) {
         read_object(r, v, lrn_fields(), {"resolver"}, p.lrn.emplace());
       }},
      {"calls_per_second", "integer 0..100000", "0", "New calls it may make a second (R-22).",
       [](Reader& r, const Json& v, P& p) { r.number(v, 0, 100'000, p.calls_per_second); }},
      {"burst", "integer 0..1000000", "as calls_per_second",
       "Calls at once before `calls_per_second` counts.",
       [](Reader& r, const Json& v, P& p) { r.number(v, 0, 1'000'000, p.burst); }},
      {"offline_to_gateways", "boolean", "parameter",
       "Calls to it are routed to vendors while it is offline (R-21, T-12).",
       [](Reader& r, const Json& v, P& p) { r.boolean(v, p.offline_to_gateways.emplace()); }},
      {"redirect_servers", "as_vendors|off|first|only", "as_vendors",
       "What redirect servers are to the calls it makes, as of a customer gateway (I-03).",
       [](Reader& r, const Json& v, P& p) { read_redirect_servers(r, v, p.redirect_servers); }},
      {"called_redirect_servers", "off|offline|first", "off",
       "What they are to calls to it: nothing, alone in deciding while it is offline, or asked "
       "before it is called (I-03).",
       [](Reader& r, const Json& v, P& p) {
         r.choice<CalledRedirectServers>(v,
                                         {{"off", CalledRedirectServers::off},
                                          {"offline", CalledRedirectServers::offline},
                                          {"first", CalledRedirectServers::first}},
                                         p.called_redirect_servers);
       }},
      {"do_not_disturb", "boolean", "false", "Calls to it get 486, and are not forwarded (T-13).",
       [](Reader& r, const Json& v, P& p) { r.boolean(v, p.do_not_disturb); }},
      {"rings_together", "boolean", "false",
       "Its devices ring at once, not one after the other (`phone_contacts`, P-05).",
       [](Reader& r, const Json& v, P& p) { r.boolean(v, p.rings_together); }},
      {"forward", "object", "{}", "Where calls to it go instead, see `phones[].forward` (T-02).",
       [](Reader& r, const Json& v, P& p) { read_object(r, v, forward_fields(), {}, p.forward); }},
      {"rel100", "boolean or require", "false",
       "Reliable provisional responses, as of a gateway (P-17).",
       [](Reader& r, const Json& v, P& p) { read_rel100(r, v, p.rel100); }},
      {"pays_when_called", "boolean", "false",
       "Its account pays for calls to it, by the number dialled, and their callers do not (B-04).",
       [](Reader& r, const Json& v, P& p) { r.boolean(v, p.pays_when_called); }},
      {"monthly_money_minimum", "decimal >= 0", "\"0\"",
       "What the charges of its calls of a month are below it is owed by the account at its end "
       "(B-18).",
       [](Reader& r, const Json& v, P& p) { read_monthly(r, v, p.monthly.minimum); }},
      {"monthly_money_maximum", "decimal >= 0", "\"0\"",
       "Once the charges of its calls of a month have come to it its calls are refused (T-16); 0: "
       "no bound.",
       [](Reader& r, const Json& v, P& p) { read_monthly(r, v, p.monthly.maximum); }},
      {"monthly_rent_fee", "decimal >= 0", "\"0\"",
       "Owed by the account at the start of each month.",
       [](Reader& r, const Json& v, P& p) { read_monthly(r, v, p.monthly.rent); }},
      {"refer", "off|local|relay", "local",
       "What becomes of a REFER in its calls, as of a gateway (P-25, T-04).",
       [](Reader& r, const Json& v, P& p) { read_refer(r, v, p.refer); }},
      {"record", "boolean", "false", "Its answered calls, either way, are recorded (M-15).",
       [](Reader& r, const Json& v, P& p) { r.boolean(v, p.record); }},
      {"prompts", "{\"AccountBalanceNotEnough\": \"/path.wav\", ...}", "none",
       "What it hears before a call of its own is refused for that end reason, as of a customer "
       "gateway (M-14).",
       [](Reader& r, const Json& v, P& p) { read_prompts(r, v, p.prompts); }},
      {"reminder", "object", "the account's",
       "What is heard before the end of calls that it makes, see below (M-14).",
       [](Reader& r, const Json& v, P& p) { read_reminder(r, v, p.reminder); }},
      {"announce_remaining", "default|none|minutes|amount", "default",
       "What it hears before it is connected, as of a customer gateway (M-14).",
       [](Reader& r, const Json& v, P& p) { read_remaining(r, v, p.announce_remaining); }},
      {"language", "id", "the parameter's", "Voice that says it, and reminders (M-14).",
       [](Reader& r, const Json& v, P& p) { read_id(r, v, p.language); }},
      {"ring_tone", "WAV file or tone:NAME/COUNTRY", "none",
       "What its callers hear while it rings, where media is relayed (T-14).",
       [](Reader& r, const Json& v, P& p) { r.string(v, p.ring_tone, 1024); }},
      {"short_callers", "boolean", "false",
       "It is shown callers by their short numbers in its account's `phone_book` (T-15).",
       [](Reader& r, const Json& v, P& p) { r.boolean(v, p.shows_short_callers); }},
      {"hold_tone", "WAV file or tone:NAME/COUNTRY", "none",
       "What the other party of its calls hears while it waits for a transfer, as of a gateway "
       "(T-05).",
       [](Reader& r, const Json& v, P& p) { r.string(v, p.hold_tone, 1024); }},
      {"geofence", "object", "the switch's",
       "Where it may register, call and send media from, see below (S-01).",
       [](Reader& r, const Json& v, P& p) { read_geofence(r, v, p.geofence); }},
      {"transfer_keys", "boolean", "false",
       "DTMF keys, in RTP or SIP INFO, order transfers, as of a gateway (T-04..T-06).",
       [](Reader& r, const Json& v, P& p) { r.boolean(v, p.transfer_keys); }},
      {"replaces", "off|own|account|any", "account",
       "Whose place in a call its INVITEs with Replaces may take (RFC 3891), as of a gateway; "
       "`account`: also that of phones of its pickup group.",
       [](Reader& r, const Json& v, P& p) { read_replaces(r, v, p.replaces); }},
      {"pickup_group", "text", "\"\"",
       "Phones of one group pick each other's ringing calls up by `pickup_code` (T-10).",
       [](Reader& r, const Json& v, P& p) { r.string(v, p.pickup_group, 64); }},
      {"media", "auto|on|off|must_on", "auto", "Media through the switch or direct (M-01).",
       [](Reader& r, const Json& v, P& p) { read_media_mode(r, v, p.media); }},
      {"codecs", "array of names", "any", "Codecs of its calls, as of a gateway (M-07).",
       [](Reader& r, const Json& v, P& p) { read_codecs(r, v, p.codecs); }, "sipCodecs"},
      {"memo", "text", "\"\"", "Yours.", [](Reader& r, const Json& v, P&) { read_memo(r, v); }},
  };
}

}  // namespace

void read_sort(Reader& r, const Json& v, std::vector<RoutePolicy>& sort) {
  r.each(v, [&](const Json& item) {
    RoutePolicy policy = RoutePolicy::none;
    r.choice<RoutePolicy>(item,
                          {{"answer_ratio", RoutePolicy::answer_ratio},
                           {"lowest_rate", RoutePolicy::lowest_rate},
                           {"talk_time", RoutePolicy::talk_time}},
                          policy);
    if (policy == RoutePolicy::none) return;
    if (std::find(sort.begin(), sort.end(), policy) != sort.end()) {
      r.fail(std::string("\"") + route_policy_name(policy) + "\" is there twice");
      return;
    }
    if (sort.size() == RouteSort::Place().size()) {
      r.fail(std::string("\"") + route_policy_name(policy) + "\" is one more than two");
      return;
    }
    sort.push_back(policy);
  });
}

const std::vector<Field<PhoneConfig>>& phone_fields() {
  using P = PhoneConfig;
  static const std::vector<Field<P>> fields = [] {
    std::vector<Field<P>> table = own_phone_fields();
    const std::vector<Field<P>> descriptions = description_fields<P>();
    table.insert(table.end() - 1, descriptions.begin(), descriptions.end());
    return table;
  }();
  return fields;
}

}  // namespace tandem::config
