// Keys of `parameters`.
#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text.hpp"
#include "switch/config_fields_json.hpp"
#include "switch/config_values_json.hpp"

namespace tandem::config {

namespace {

template <auto Member, std::int64_t Low, std::int64_t High>
void read_seconds(Reader& r, const Json& v, Parameters& p) {
  r.number(v, Low, High, p.*Member);
}

template <auto Member>
void read_flag(Reader& r, const Json& v, Parameters& p) {
  r.boolean(v, p.*Member);
}

/// Printable, so that nobody takes it for a message.
void read_keep_alive(Reader& r, const Json& v, std::string& message) {
  std::string text;
  if (!r.string(v, text, 64)) return;
  if (printable(text) != text) {
    r.fail("\"" + printable(text) + "\" has characters other than printable ASCII");
    return;
  }
  message = std::move(text);
}

/// Keys of a phone.
void read_pickup_code(Reader& r, const Json& v, std::string& code) {
  std::string text;
  if (!r.string(v, text, 8)) return;
  if (text.find_first_not_of("0123456789*#") != std::string::npos) {
    r.fail("\"" + printable(text) + "\" has characters other than 0-9 * #");
    return;
  }
  code = std::move(text);
}

/// Whole milliseconds in an array, or seconds in a text, as "0.5,1,2,4".
void read_resends(Reader& r, const Json& v, std::vector<std::int32_t>& waits_ms) {
  constexpr std::int32_t wait_min_ms = 50, wait_max_ms = 64'000;
  constexpr std::size_t waits_max = 20;
  std::vector<std::int32_t> read;
  const auto fail = [&](const std::string& text) {
    r.fail("\"" + text + "\" is no wait of 50 ms to 64 s");
  };
  if (v.is_string()) {
    std::string text;
    if (!r.string(v, text)) return;
    for (std::string_view rest = text; !rest.empty();) {
      const std::size_t end = std::min(rest.find(','), rest.size());
      const std::string_view item = trimmed(rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
      const std::size_t point = std::min(item.find('.'), item.size());
      std::string thousandths(item.substr(std::min(point + 1, item.size())));
      const bool is_short = thousandths.size() <= 3;
      if (is_short) thousandths.resize(3, '0');
      const auto whole_s = parse_integer<std::int32_t>(item.substr(0, point));
      const auto part_ms = parse_integer<std::int32_t>(thousandths);
      if (!is_short || !whole_s || !part_ms || *whole_s < 0 || *whole_s > 64 || *part_ms < 0)
        return fail(std::string(item));
      read.push_back(*whole_s * 1000 + *part_ms);
    }
  } else {
    r.each(v, [&](const Json& item) {
      std::int64_t wait_ms = 0;
      if (r.integer(item, wait_min_ms, wait_max_ms, wait_ms))
        read.push_back(static_cast<std::int32_t>(wait_ms));
    });
  }
  if (read.size() > waits_max) return r.fail("more than 20 waits");
  for (const std::int32_t wait_ms : read) {
    if (wait_ms < wait_min_ms || wait_ms > wait_max_ms)
      return fail(std::to_string(wait_ms) + " ms");
  }
  waits_ms = std::move(read);
}

/// A bit for each hour of "9-12,20".
void read_hours(Reader& r, const Json& v, std::uint32_t& hours) {
  hours = 0;
  std::vector<std::string> spans;
  if (is_none(v) || !r.strings(v, spans)) return;
  for (const std::string& span : spans) {
    const std::size_t dash = span.find('-');
    const auto first = parse_integer<unsigned>(std::string_view(span).substr(0, dash));
    const auto end = dash == std::string::npos
                         ? (first ? std::optional(*first + 1) : std::nullopt)
                         : parse_integer<unsigned>(std::string_view(span).substr(dash + 1));
    if (!first || !end || *first > 23 || *end > 24 || *first == *end) {
      r.fail("\"" + span + "\" is no hour 0..23 and no span of hours such as 9-12");
      return;
    }
    unsigned hour = *first;
    do {
      hours |= 1U << hour;
      hour = (hour + 1) % 24;
    } while (hour != *end % 24);
  }
}

/// A rotation by its name, or whether the numbers come in sequence.
void read_forward_rotation(Reader& r, const Json& v, Parameters& p) {
  if (v.is_boolean()) {
    p.forward_pool_random = !v.get<bool>();
    return;
  }
  r.choice<bool>(v, {{"poll", false}, {"random", true}, {"on", false}, {"off", true}},
                 p.forward_pool_random);
}

}  // namespace

const std::vector<Field<Parameters>>& parameter_fields() {
  using P = Parameters;
  static const std::vector<Field<P>> fields = {
      {"no_media_hangup_s", "integer 0..86400", "0",
       "Ends calls whose media fell silent both ways (M-05); 0: off.",
       read_seconds<&P::no_media_hangup_s, 0, 86400>, "SS_NOMEDIAHANGUPTIME"},
      {"rtp_loss_alarm_percent", "integer 0..99", "0",
       "An alarm when more than this of what a party sends is lost on its way here (O-05); 0: off.",
       read_seconds<&P::rtp_loss_alarm_percent, 0, 99>},
      {"rtp_loss_window_s", "integer 1..600", "10", "Loss is judged over so long.",
       read_seconds<&P::rtp_loss_window_s, 1, 600>},
      {"max_call_s", "integer 0..2147483647", "0", "Longest call (B-12); 0: unlimited.",
       read_seconds<&P::max_call_s, 0, int32_max>, "SS_MAXCALLDURATION"},
      {"invite_timeout_s", "integer 1..3600", "10", "INVITE sent, nothing heard (P-19).",
       read_seconds<&P::invite_timeout_s, 1, 3600>, "SS_SIP_TIMEOUT_INVITE"},
      {"ringing_timeout_s", "integer 1..3600", "120", "After 180.",
       read_seconds<&P::ringing_timeout_s, 1, 3600>, "SS_SIP_TIMEOUT_RINGING"},
      {"trying_timeout_s", "integer 1..3600", "20", "After 100.",
       read_seconds<&P::trying_timeout_s, 1, 3600>, "SS_SIP_TIMEOUT_TRYING"},
      {"progress_timeout_s", "integer 1..3600", "20", "After 183 without SDP.",
       read_seconds<&P::progress_timeout_s, 1, 3600>, "SS_SIP_TIMEOUT_SESSION_PROGRESS"},
      {"progress_sdp_timeout_s", "integer 1..3600", "120", "After 183 with SDP.",
       read_seconds<&P::progress_sdp_timeout_s, 1, 3600>, "SS_SIP_TIMEOUT_SESSION_PROGRESS_SDP"},
      {"switch_limit", "integer 0..1000", "none", "Failovers of one call (R-15).",
       [](Reader& r, const Json& v, P& p) {
         if (is_none(v)) return;
         read_optional<std::int32_t, 0, 1000>(r, v, p.switch_limit);
       },
       "SS_GATEWAY_SWITCH_LIMIT"},
      {"switch_until_connect", "boolean", "false",
       "Fail over after ringing and early media too (R-15).", read_flag<&P::switch_until_connect>,
       "SS_GATEWAY_SWITCH_UNTIL_CONNECT"},
      {"stop_switch_after_rtp", "boolean", "true", "No failover once the vendor sent media (R-15).",
       read_flag<&P::stop_switch_after_rtp>, "SS_GATEWAY_SWITCH_STOP_AFTER_RTP_START"},
      {"stop_switch_after_busy", "boolean", "true",
       "No failover after 486, 600 and Q.850 cause 17 (R-15).",
       read_flag<&P::stop_switch_after_busy>, "SS_GATEWAY_SWITCH_STOP_AFTER_USER_BUSY"},
      {"q850_for_sip", "array of {\"from\": 503, \"to\": 42}", "[]",
       "Causes of failures that named none, by their status; before the table of docs/sip.md "
       "(C-09).",
       [](Reader& r, const Json& v, P& p) {
         read_replacements(r, v, sip_codes, q850_codes, p.q850_for_sip, false);
       }},
      {"sip_for_q850", "array of {\"from\": 21, \"to\": 603}", "[]",
       "Status that a vendor's failure counts as, by the cause in its Reason header; others keep "
       "the vendor's (C-09).",
       [](Reader& r, const Json& v, P& p) {
         read_replacements(r, v, q850_codes, sip_codes, p.sip_for_q850, false);
       }},
      {"stop_switch_after_sdp", "boolean", "true",
       "No failover after a provisional response with SDP (R-15).",
       read_flag<&P::stop_switch_after_sdp>, "SS_SIP_STOP_SWITCH_AFTER_SDP"},
      {"stop_switch_after_invite_timeout", "boolean", "false",
       "No failover when a vendor at which the switch registers said nothing to the INVITE (R-15).",
       read_flag<&P::stop_switch_after_invite_timeout>,
       "SS_SIP_USER_AGENT_STOP_SWITCH_AFTER_INVITE_TIMEOUT"},
      {"stop_descent_when_passed_over", "boolean", "false",
       "A vendor with `prefix_mode` `expiration` keeps shorter prefixes away also when it was "
       "passed "
       "over, such as a full one; else only when it was tried (R-02).",
       read_flag<&P::stop_descent_when_passed_over>},
      {"reply_unauthorized", "boolean", "true",
       "Answer unknown sources with 403; false: silence (S-12).", read_flag<&P::reply_unauthorized>,
       "SS_REPLY_UNAUTHORIZED"},
      {"media_mode", "auto|on|off|must_on", "on", "Where media goes when gateways say auto (M-01).",
       [](Reader& r, const Json& v, P& p) { read_media_mode(r, v, p.media_mode); },
       "SS_MEDIAPROXYMODE"},
      {"media_behind_nat", "boolean", "true",
       "With auto everywhere media is relayed when a party is behind NAT (M-01).",
       read_flag<&P::media_behind_nat>, "SS_MEDIAPROXYBEHINDNAT"},
      {"media_same_nat", "boolean", "false",
       "With auto everywhere media is relayed when both parties are at one public address (M-01).",
       read_flag<&P::media_same_nat>, "SS_MEDIAPROXYSAMENAT"},
      {"media_between_networks", "boolean", "true",
       "With auto everywhere media is relayed between a private and a public address (M-01).",
       read_flag<&P::media_between_networks>, "SS_MEDIAPROXYBETWEENNET"},
      {"sip_tos", "integer 0..255", "160", "TOS byte of SIP packets (P-27); 0: unmarked.",
       read_seconds<&P::sip_tos, 0, 255>, "SS_QOS_SIGNAL"},
      {"media_tos", "integer 0..255", "160", "TOS byte of media packets (M-18); 0: unmarked.",
       read_seconds<&P::media_tos, 0, 255>, "SS_QOS_RTP"},
      {"sip_t1_ms", "integer 100..5000", "500",
       "Time for a way there and back, T1 of RFC 3261 (P-20): a request is given up after 64 of "
       "them.",
       read_seconds<&P::sip_t1_ms, 100, 5000>},
      {"sip_t2_ms", "integer 100..32000", "4000",
       "T2: requests other than INVITE, and responses to it, are not repeated less often.",
       read_seconds<&P::sip_t2_ms, 100, 32'000>},
      {"sip_t4_ms", "integer 1000..32000", "5000", "T4: what is on its way is gone by then.",
       read_seconds<&P::sip_t4_ms, 1000, 32'000>},
      {"sip_resend_ms", "array of integers 50..64000, or text of seconds", "by T1 and T2",
       "How long a request over UDP waits before each repetition, and at last before it is given "
       "up (P-20): `[500, 1000, 2000]` or `\"0.5,1,2\"` sends it three times and gives up after "
       "3.5 s. At most 20.",
       [](Reader& r, const Json& v, P& p) {
         if (is_none(v)) return;
         read_resends(r, v, p.sip_resend_ms);
       },
       "SS_SIP_RESEND_INTERVAL"},
      {"publish_expires_s", "integer 0..86400", "0",
       "PUBLISH is answered with 200 and an entity tag for at most so long, and forgotten (P-06, "
       "RFC "
       "3903); 300 is usual. 0: it is refused with 405.",
       read_seconds<&P::publish_expires_s, 0, 86'400>},
      {"session_timer_s", "integer 90..7200", "600",
       "Session interval that is asked for (P-18, RFC 4028).",
       read_seconds<&P::session_timer_s, 90, 7200>, "SS_SIP_SESSION_TTL"},
      {"session_refreshes", "integer 2..10", "2", "Refreshes of ours in an interval.",
       read_seconds<&P::session_refreshes, 2, 10>, "SS_SIP_SESSION_UPDATE_SEGMENT"},
      {"session_early_hangup_s", "integer 0..7200", "0",
       "So long before its end a silent session is given up, at most a third of it.",
       read_seconds<&P::session_early_hangup_s, 0, 7200>, "SS_SIP_SESSION_TIMEOUT_EARLY_HANGUP"},
      {"no_timer_max_call_s", "integer 0..2147483647", "0",
       "Longest call of a caller that speaks no session timers; 0: no limit, the switch asks it by "
       "itself.",
       read_seconds<&P::no_timer_max_call_s, 0, int32_max>, "SS_SIP_NO_TIMER_REINVITE_INTERVAL"},
      {"reminder_before_s", "integer 1..3600", "60",
       "How long before its forced end a call is reminded of it, where `reminder` does not say "
       "(M-14).",
       read_seconds<&P::reminder_before_s, 1, 3600>, "SS_CALLREMINTIME"},
      {"announce_remaining", "none|minutes|amount", "none",
       "What customer gateways and phones hear before they are connected that do not say (M-14).",
       [](Reader& r, const Json& v, P& p) { read_remaining(r, v, p.announce_remaining); }},
      {"language", "id", "none", "Voice of who names none (M-14).",
       [](Reader& r, const Json& v, P& p) { read_id(r, v, p.language); }},
      {"geofence", "object", "{}",
       "Where gateways and phones may be that have no fence of their own, see `geofence` (S-01).",
       [](Reader& r, const Json& v, P& p) { read_geofence(r, v, p.geofence); }},
      {"max_calls", "integer 0..10000000", "0",
       "Simultaneous calls of the whole switch (O-16); 0: unlimited.",
       read_seconds<&P::max_calls, 0, 10'000'000>},
      {"fee_precision", "integer 0..8", "6", "Decimals of a charge (B-07).",
       [](Reader& r, const Json& v, P& p) { r.number(v, 0, 8, p.fees.precision); },
       "SERVER_BILLING_FEE_PRECISION", "SERVER_BILLING_FEE_PRECISTION"},
      {"fee_unit", "decimal > 0", "none", "A charge is rounded up to a multiple of it (B-07).",
       [](Reader& r, const Json& v, P& p) {
         if (is_none(v)) return;
         if (r.amount(v, p.fees.unit) && p.fees.unit.is_negative()) r.fail("fee unit is negative");
       },
       "SERVER_BILLING_FEE_UNIT"},
      {"fee_rounding", "half_up|half_even|up|down", "half_up", "Rounding to the precision (B-07).",
       [](Reader& r, const Json& v, P& p) {
         r.choice<FeeRounding>(v,
                               {{"half_up", FeeRounding::half_up},
                                {"half_even", FeeRounding::half_even},
                                {"up", FeeRounding::up},
                                {"down", FeeRounding::down}},
                               p.fees.rounding);
       }},
      {"hold_time_precision_ms", "integer 1..1000", "50",
       "Milliseconds from which a begun second counts (B-08).",
       [](Reader& r, const Json& v, P& p) { r.number(v, 1, 1000, p.fees.hold_time_precision_ms); },
       "SERVER_BILLING_HOLD_TIME_PRECISION"},
      {"free_time_s", "integer 0..86400", "0", "Seconds taken off every call before rating (B-09).",
       [](Reader& r, const Json& v, P& p) { r.number(v, 0, 86400, p.fees.free_time_s); },
       "SERVER_BILLING_FREE_TIME"},
      {"free_numbers", "list or comma text", "[]",
       "Callees that are never charged; a trailing * is a prefix (B-09).",
       [](Reader& r, const Json& v, P& p) { r.strings(v, p.free_numbers); },
       "SERVER_BILLING_FREE_E164S"},
      {"gateway_route_prefix", "list or comma text, or integer 0..31", "[]",
       "Prefixes of callees that only steer routing: where no rate of a deck begins with one, it "
       "is "
       "taken off before rating; a number takes off so many characters (B-14).",
       [](Reader& r, const Json& v, P& p) {
         RoutePrefixes read;
         if (v.is_number()) {
           r.number(v, 0, 31, read.characters);
         } else if (!is_none(v)) {
           read_prefixes(r, v, read.prefixes);
         }
         p.gateway_route_prefix = std::move(read);
       },
       "SERVER_GATEWAY_ROUTE_PREFIX", "SERVER_BILLING_GATEWAY_ROUTE_PREFIX"},
      {"bilateral_reconciliation_line_percent", "decimal 0..100", "1",
       "Deviation from the count of the other end from which an alarm is raised (B-27).",
       [](Reader& r, const Json& v, P& p) {
         std::optional<std::int32_t> hundredths;
         read_percent(r, v, hundredths);
         if (!hundredths) return;
         if (*hundredths < 0 || *hundredths > 10'000) r.fail("percentage is not in 0..100");
         p.reconciliation_line_hundredths = *hundredths;
       },
       "SERVER_GATEWAY_ROUTE_BILATERAL_RECONCILIATION_LINE"},
      {"bilateral_reconciliation_period_s", "integer 10..86400", "300",
       "Length of the periods that are compared (B-27).",
       read_seconds<&P::reconciliation_period_s, 10, 86400>,
       "SERVER_GATEWAY_BILATERAL_RECONCILIATION_PERIOD"},
      {"ledger_retention_days", "integer 0..36500", "0",
       "Entries of the ledger that are older are carried forward into one opening of each account; "
       "0: kept for ever.",
       read_seconds<&P::ledger_retention_days, 0, 36500>},
      {"record_unanswered", "boolean", "true", "CDRs of unanswered calls (C-02).",
       read_flag<&P::record_unanswered>, "SERVER_BILLING_RECORD_ZERO_HOLD_TIME"},
      {"record_server_release", "boolean", "true",
       "CDRs of unanswered calls that the switch itself refused.",
       read_flag<&P::record_server_release>, "SERVER_BILLING_RECORD_SERVER_HANG_UP"},
      {"record_illegal", "boolean", "true", "CDRs of calls from unknown sources (S-10).",
       read_flag<&P::record_illegal>, "SERVER_BILLING_RECORD_ILLEGAL_CALL"},
      {"options_check_s", "integer 5..3600", "60",
       "Between two OPTIONS to an address of a vendor with `options_check` (R-17).",
       read_seconds<&P::options_check_s, 5, 3600>, "SS_SIP_OPTIONS_CHECK_PERIOD"},
      {"drain_timeout_s", "integer 0..86400", "60", "How long SIGTERM lets calls go on.",
       read_seconds<&P::drain_timeout_s, 0, 86400>},
      {"interim_mark_s", "integer 1..3600", "10",
       "Distance of the marks that bill a call cut by a crash.",
       read_seconds<&P::interim_mark_s, 1, 3600>},
      {"timezone", "zone", "UTC", "Zone of calendars and periods that name none (R-12).",
       [](Reader& r, const Json& v, P& p) { read_timezone(r, v, p.timezone); }},
      {"quality_calculate", "boolean", "false",
       "Count answered attempts of vendors that do not say (R-05).",
       read_flag<&P::quality_calculate>, "SS_GATEWAY_QUALITY_CALCULATE",
       "SS_GATEWAY_ASR_CALCULATE"},
      {"quality_window_s", "integer 60..86400", "3600", "How far back the count reaches.",
       read_seconds<&P::quality_window_s, 60, 86400>, "SS_GATEWAY_QUALITY_RESERVE_TIME",
       "SS_GATEWAY_ASR_RESERVE_TIME"},
      {"quality_slice_s", "integer 1..86400", "300",
       "Slice in which it ages; the window holds 1..1440 of them.",
       read_seconds<&P::quality_slice_s, 1, 86400>, "SS_GATEWAY_QUALITY_RESERVE_SEPARATE",
       "SS_GATEWAY_ASR_RESERVE_SEPARATE"},
      {"quality_sort_position", "integer 0..3", "3 with a vendor's `quality`",
       "The answer ratio in the order: 0 nowhere, 1 before the prefix length, 2 behind it, 3 "
       "behind "
       "the priority (R-05).",
       [](Reader& r, const Json& v, P& p) {
         read_optional<std::int32_t, 0, 3>(r, v, p.quality_sort_position);
       },
       "SS_GATEWAY_ASR_ROUTE_SORT_CONFIG"},
      {"rate_sort_position", "integer 0..3", "3 with a vendor's `least_cost`",
       "The price of a second in the order, likewise (R-06).",
       [](Reader& r, const Json& v, P& p) {
         read_optional<std::int32_t, 0, 3>(r, v, p.rate_sort_position);
       },
       "SERVER_GATEWAY_ROUTE_FEE_RATE_SORT_CONFIG", "SS_GATEWAY_FEE_RATE_ROUTE_SORT_CONFIG"},
      {"forward_pool_rotation", "poll|random, or boolean", "poll",
       "Which number of a `forward_pool` that does not say comes next: that of the list, or any; "
       "true is `poll` (R-24).",
       read_forward_rotation, "FORWARD_SIGNAL_REWRITE_SEQUENCE"},
      {"rate_sort_before_quality", "boolean", "false",
       "Which goes first when both are at one place.", read_flag<&P::rate_sort_before_quality>,
       "SERVER_GATEWAY_ROUTE_FEE_RATE_BEFORE_QUALITY", "SS_GATEWAY_FEE_RATE_ROUTE_BEFORE_ASR"},
      {"protect_delay_s", "integer 0..180", "0",
       "Protect vendors are tried only so long after the call's arrival; 0: always (R-08).",
       read_seconds<&P::protect_delay_s, 0, 180>, "SS_TRY_PROTECT_ROUTE_DELAY"},
      {"registration_expires_s", "integer 20..7200", "3600",
       "Longest time a registration holds, and that of one that asks for none (P-05).",
       read_seconds<&P::registration_expires_s, 20, 7200>, "SS_ENDPOINT_EXPIRE"},
      {"phone_contacts", "integer 1..8", "1",
       "Devices of one number at once; a further one takes the place of the first (P-05).",
       read_seconds<&P::phone_contacts, 1, 8>},
      {"register_per_source", "integer 0..1000000", "20",
       "REGISTERs a second from one address; 0: no limit. What is beyond gets no answer (S-09).",
       read_seconds<&P::register_per_source, 0, 1'000'000>},
      {"register_burst", "integer 1..1000000", "100", "At once, before that counts.",
       read_seconds<&P::register_burst, 1, 1'000'000>},
      {"register_total", "integer 0..1000000", "2000",
       "REGISTERs a second of all sources; 0: no limit. What is beyond gets 503 (S-09).",
       read_seconds<&P::register_total, 0, 1'000'000>},
      {"auth_failures", "integer 1..1000", "6",
       "Wrong passwords of a user from one address before it is suspended (S-08).",
       read_seconds<&P::auth_failures, 1, 1000>, "SS_ENDPOINTREGISTERRETRY",
       "SS_AUTHENTICATION_MAX_RETRY"},
      {"auth_suspend", "boolean", "true", "Whether anybody is suspended.",
       read_flag<&P::auth_suspend>, "SS_ENDPOINTREGISTERSUSPEND",
       "SS_AUTHENTICATION_FAILED_SUSPEND"},
      {"auth_suspend_s", "integer 1..86400", "180", "For how long.",
       read_seconds<&P::auth_suspend_s, 1, 86400>, "SS_ENDPOINTREGISTERSUSPENDTIME"},
      {"auth_rounds", "integer 1..100", "6",
       "Challenges of a vendor that one INVITE answers, as long as each says that the last answer "
       "was only too old; and those that the INVITEs or REGISTERs of one Call-ID get, of which the "
       "next one that would need another is refused (P-04).",
       read_seconds<&P::auth_rounds, 1, 100>, "SS_SIP_AUTHENTICATION_RETRY"},
      {"auth_rounds_s", "integer 1..60", "10", "Time for them, from the first one.",
       read_seconds<&P::auth_rounds_s, 1, 60>, "SS_SIP_AUTHENTICATION_TIMEOUT"},
      {"auth_sha256", "boolean", "true",
       "Challenges offer SHA-256 behind MD5 (P-04). Off for devices that give up when they see it, "
       "such as those on older releases of libre; takes effect with a restart.",
       read_flag<&P::auth_sha256>},
      {"offline_to_gateways", "boolean", "false",
       "Calls to phones that are offline are routed to vendors (R-21, T-12).",
       read_flag<&P::offline_to_gateways>},
      {"no_billing_to_phones", "boolean", "false",
       "Calls to phones of this switch are free (B-09).", read_flag<&P::no_billing_to_phones>},
      {"call_forward_using_original_caller", "boolean", "true",
       "Whom the target of a forwarded call sees calling: who called, else the phone that forwards "
       "(T-09).",
       read_flag<&P::call_forward_using_original_caller>, "SS_CALL_FORWARD_USING_ORIGINAL_CALLER"},
      {"call_transfer_using_original_caller", "boolean", "true",
       "Whom the target of a transfer sees calling: who is transferred, else who transfers (T-04).",
       read_flag<&P::call_transfer_using_original_caller>, "SS_CALL_TRANSFER_NORMAL_DISPLAY"},
      {"call_transfer_ask_using_original_caller", "boolean", "false",
       "The same where the transferor speaks with the target first, by keys (T-05).",
       read_flag<&P::call_transfer_ask_using_original_caller>, "SS_CALL_TRANSFER_ASK_DISPLAY"},
      {"call_transfer_remote_ring", "boolean", "true",
       "Who is transferred hears the target's early media once the transferor has hung up (T-08).",
       read_flag<&P::call_transfer_remote_ring>},
      {"transfer_first_key_s", "integer 1..60", "10",
       "Time for the first digit of the number that a transfer by keys goes to (T-07).",
       read_seconds<&P::transfer_first_key_s, 1, 60>},
      {"transfer_key_s", "integer 1..60", "5", "Time for each further key (T-07).",
       read_seconds<&P::transfer_key_s, 1, 60>},
      {"service_idle_s", "integer 1..3600", "30",
       "So long a call that the host serves (T-17) waits for an order when nothing is played once, "
       "collected or bridged; then it is ended (`GatewayTimeout`).",
       read_seconds<&P::service_idle_s, 1, 3600>},
      {"pickup_code", "text", "\"\"",
       "What a phone dials to pick up the call that has rung longest in its pickup group; with the "
       "number of a phone of the group, the call there (T-10). 1..8 of 0-9 * #; \"\": nothing.",
       [](Reader& r, const Json& v, P& p) { read_pickup_code(r, v, p.pickup_code); }},
      {"pickup_code_is_last", "boolean", "false",
       "The code stands behind the number of the phone, not before it.",
       read_flag<&P::pickup_code_is_last>},
      {"billing_forward_prefix", "text", "\"\"",
       "Put before the callee of a forwarded call for its rate; where no rate begins with it, the "
       "plain number counts (B-15).",
       [](Reader& r, const Json& v, P& p) { read_billing_prefix(r, v, p.billing_forward_prefix); },
       "SERVER_BILLING_FORWARD_PREFIX"},
      {"registration_check_s", "integer 0..3600", "0",
       "How often devices that registered over UDP are asked by OPTIONS between their "
       "registrations; without an answer twice in a row they are off line. 0: never (P-05).",
       read_seconds<&P::registration_check_s, 0, 3600>, "SS_ENDPOINTTIMETOLIVE"},
      {"nat_keep_alive_message", "text", "HELLO",
       "What phones behind NAT are sent over UDP so that it stays open; \"\": nothing (P-22).",
       [](Reader& r, const Json& v, P& p) { read_keep_alive(r, v, p.nat_keep_alive_message); },
       "SS_SIP_NAT_KEEP_ALIVE_MESSAGE"},
      {"nat_keep_alive_period_s", "integer 5..3600", "30", "Between two of these to one phone.",
       read_seconds<&P::nat_keep_alive_period_s, 5, 3600>, "SS_SIP_NAT_KEEP_ALIVE_PERIOD"},
      {"nat_keep_alive_interval_ms", "integer 10..10000", "500", "Between two batches of these.",
       read_seconds<&P::nat_keep_alive_interval_ms, 10, 10'000>,
       "SS_SIP_NAT_KEEP_ALIVE_SEND_INTERVAL"},
      {"nat_keep_alive_batch", "integer 1..100000", "3000",
       "Messages of a batch; with more phones than batches of a period have room for, a period is "
       "longer.",
       read_seconds<&P::nat_keep_alive_batch, 1, 100'000>, "SS_SIP_NAT_KEEP_ALIVE_SEND_ONE_TIME"},
      {"outbound_expires_s", "integer 20..7200", "3600",
       "What registrations at vendors ask for (R-25).",
       read_seconds<&P::outbound_expires_s, 20, 7200>, "SS_SIP_USER_AGENT_EXPIRE"},
      {"outbound_retry_s", "integer 30..600", "60",
       "After a registration at a vendor failed; doubles up to 600 (R-25).",
       read_seconds<&P::outbound_retry_s, 30, 600>, "SS_SIP_USER_AGENT_RETRY_DELAY"},
      {"vendor_balance_minimum", "decimal", "none",
       "A vendor whose account has less is passed over (R-18).",
       [](Reader& r, const Json& v, P& p) {
         if (is_none(v)) return;
         Amount minimum;
         if (r.amount(v, minimum)) p.vendor_balance_minimum = minimum;
       },
       "SERVER_VERIFY_CLEARING_CUSTOMER_REMAIN_MONEY_LIMIT"},
      {"overdraft_advance_min", "integer 1..15, or null", "none",
       "Minutes that each call keeps reserved ahead while its account has them; none: 10 seconds "
       "(B-11).",
       [](Reader& r, const Json& v, P& p) {
         p.overdraft_advance_min = 0;
         if (!is_none(v)) r.number(v, 1, 15, p.overdraft_advance_min);
       },
       "SERVER_BILLING_PREVENT_OVERDRAFT_ADVANCE_TIME"},
      {"verify_customer_balance", "boolean", "true",
       "Calls stay within the money of their customer; without it balances have no lower bound "
       "(B-28).",
       read_flag<&P::verify_customer_balance>},
      {"verify_agent_balance", "boolean", "true", "The same of agents (B-17).",
       read_flag<&P::verify_agent_balance>},
      {"cdr_pending_max", "integer 0..1000000000", "100000",
       "Records that may wait for a sink: from 80 % of them on an alarm is raised, and nothing "
       "refused. 0: no alarm (C-07).",
       read_seconds<&P::cdr_pending_max, 0, 1'000'000'000>, "SERVER_MAX_CDR_PENDING_LIST_LENGTH"},
      {"cdr_file_interval_s", "integer 60..86400, or null", "none",
       "With it there is one more sink of type `files`, in `cdr-files` beside the database, in the "
       "layout of C-04: a new file so often (C-05).",
       [](Reader& r, const Json& v, P& p) {
         p.cdr_file_interval_s = 0;
         if (!is_none(v)) r.number(v, 60, 86'400, p.cdr_file_interval_s);
       },
       "SERVER_CDR_FILE_WRITE_INTERVAL"},
      {"cdr_file_max", "integer 0..1000000", "2048", "Complete files that it keeps; 0: all.",
       read_seconds<&P::cdr_file_max, 0, 1'000'000>, "SERVER_CDR_FILE_WRITE_MAX"},
      {"query_days_max", "integer 0..36500", "0",
       "Longest period of a question to the records (C-13); 0: any.",
       [](Reader& r, const Json& v, P& p) {
         p.query_guards.days_max = 0;
         if (!is_none(v)) r.number(v, 0, 36'500, p.query_guards.days_max);
       },
       "SERVER_QUERY_CDR_MAX_DAY_INTERVAL"},
      {"query_rows_max", "integer 0..1000000000", "30000000",
       "Records that a question may read (C-13); 0: any number.",
       [](Reader& r, const Json& v, P& p) {
         r.number(v, 0, 1'000'000'000, p.query_guards.rows_max);
       },
       "SERVER_QUERY_MAX_SIZE"},
      {"query_time_max_ms", "integer 0..3600000", "30000",
       "Time that a question may take (C-13); 0: any.",
       [](Reader& r, const Json& v,
          P& p) { r.number(v, 0, 3'600'000, p.query_guards.time_max_ms); }},
      {"query_denied_hours", "list or comma text", "none",
       "Hours of the day, in `timezone`, in which no question to the records is answered (C-13): "
       "`9-12` is from 9:00 to 12:00, `22-6` goes over midnight, `20` is one hour.",
       [](Reader& r, const Json& v, P& p) { read_hours(r, v, p.query_denied_hours); },
       "SERVER_QUERY_CDR_DENY_TIME"},
  };
  return fields;
}

}  // namespace tandem::config
