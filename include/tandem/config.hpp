// What a switch is told: its sockets and files, parameters, and provisioned objects.
//
// The structures mirror the JSON configuration file key by key; docs/configuration.md is made from
// the table that its parser uses. Money is Amount, durations carry their unit in the name, an empty
// list means no restriction.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/accounts.hpp"
#include "tandem/billing_prefixes.hpp"
#include "tandem/calendar.hpp"
#include "tandem/cdr_push.hpp"
#include "tandem/cdr_query.hpp"
#include "tandem/cdr_sql.hpp"
#include "tandem/error.hpp"
#include "tandem/export.h"
#include "tandem/geofence.hpp"
#include "tandem/lrn.hpp"
#include "tandem/maintenance.hpp"
#include "tandem/media_backend.hpp"
#include "tandem/media_options.hpp"
#include "tandem/number_policy.hpp"
#include "tandem/number_transform.hpp"
#include "tandem/packages.hpp"
#include "tandem/phones.hpp"
#include "tandem/rating.hpp"
#include "tandem/route_table.hpp"
#include "tandem/sip_options.hpp"
#include "tandem/tls.hpp"
#include "tandem/trace.hpp"
#include "tandem/values.hpp"
#include "tandem/webhook.hpp"

namespace tandem {

/// An entry of the phone book of an account (T-15).
struct ShortNumber {
  std::string short_number;  ///< What is dialled.
  std::string number;        ///< What it stands for.
};

/// An account (B-02) with the balance it gets when it is created; later balances come from the
/// journal.
struct AccountConfig : AccountSettings {
  AccountConfig() { currency = "USD"; }
  Amount balance;
  /// Callers whose calls it pays for where a customer gateway goes by that (B-04); each is of one
  /// account only. At most bound_numbers_max.
  std::vector<std::string> bound_numbers{};
  bool record = false;  ///< Answered calls that it pays for are recorded (M-15).
  std::optional<ReminderConfig> reminder{};  ///< M-14, of calls that it pays for.
  /// T-15: what its phones and gateways may dial instead of whole numbers. No short number twice,
  /// at most phone_book_max.
  std::vector<ShortNumber> phone_book{};
};
inline constexpr std::size_t bound_numbers_max = 100'000;
inline constexpr std::size_t phone_book_max = 10'000;

/// A tariff: rates given here and rows of a CSV file.
struct RateDeckConfig {
  std::string id;
  std::string currency = "USD";
  std::vector<Rate> rates;
  std::string file;  ///< "" for none; resolved against the folder of the configuration file.
  std::optional<RateDeck> built;  ///< When there, the rates are these and `rates` is not looked at.
  std::string calendar;  ///< Classes of the days of its windows; "": Monday to Friday work.
  std::string timezone;  ///< Of its windows; "": the calendar's, else the parameter `timezone`.
  bool split_windows = false;  ///< Whether a call that crosses a boundary is split there.
};

/// A package (B-20) with what its days and hours are judged by, of which `schedule` is made.
struct PackageConfig : Package {
  bool split_windows = false;  ///< RateSchedule::is_split() of its schedule.
  std::string calendar;        ///< Classes of its days; "": Monday to Friday work.
  std::string timezone;        ///< "": the calendar's, else the parameter `timezone`.
};

/// An address or block of the `addresses` list, or a host name.
struct GatewayAddress {
  std::string text;   ///< As configured.
  IpNetwork network;  ///< A single address has the full prefix length; of a name: none.
  /// Nothing: any port for a customer, 5060 for a vendor, 5061 on TLS; of a vendor's name what its
  /// SRV records say (RFC 3263).
  std::optional<std::uint16_t> port;

  /// Stands for what name servers say of it while the switch runs.
  [[nodiscard]] bool is_name() const noexcept {
    return network.address.family == IpAddress::Family::none;
  }
};

/// Name servers, and how long what they say is good (RFC 1035, RFC 2308, RFC 8767).
struct DnsConfig {
  std::vector<SocketAddress> servers;     ///< At most 8; empty: those of /etc/resolv.conf.
  std::int32_t timeout_ms = 1'000;        ///< 50..10000, of one question to one server.
  std::int32_t rounds = 2;                ///< 1..5: how often each server is asked.
  std::int32_t ttl_min_s = 5;             ///< 1..3600.
  std::int32_t ttl_max_s = 3'600;         ///< 1..86400.
  std::int32_t negative_ttl_max_s = 300;  ///< 1..3600: that there is nothing.
  /// 0..604800: how long beyond its TTL an answer serves while no server answers.
  std::int32_t stale_s = 86'400;
  std::int32_t entries_max = 4'096;  ///< 64..65536 questions that are remembered.
  /// 0..3600: how long a place of a name that did not answer a call is passed over, while the name
  /// has others.
  std::int32_t rest_s = 30;
  std::string hosts_file = "/etc/hosts";  ///< Names that it has are not asked for; "": none.
  bool operator==(const DnsConfig&) const = default;
};

/// Credentials for digest authentication (RFC 3261 section 22).
struct GatewayAuth {
  std::string username;
  std::string password;
  std::string realm;  ///< "" means "tandem" where the switch asks, any where it is asked.
};

/// Which direction of a call's media may not fall silent (M-06), seen from one gateway.
enum class RtpInterrupt : std::uint8_t {
  none,
  to_remote,    ///< What is sent to the gateway.
  from_remote,  ///< What the gateway sends.
  both,         ///< Either of them.
};

/// Number groups that a gateway's callers and callees must or must not be in (N-06); ids.
struct NumberGroupRules {
  std::vector<std::string> allow_caller, deny_caller, allow_callee, deny_callee;
};

/// Numbers that are shown as who sent a call on.
struct ForwardPoolConfig {
  std::string numbers;  ///< Id of the number group.
  /// Any number, else one after the other; nothing: as the parameter says.
  std::optional<bool> is_random = std::nullopt;
};

/// What both kinds of gateway have.
struct GatewayConfig {
  std::string id;
  std::vector<GatewayAddress> addresses;
  std::string account;           ///< Who pays, or is owed; "" for nobody (vendors only).
  bool locked = false;           ///< R-14.
  std::int32_t line_limit = -1;  ///< R-10: -1 unlimited, 0 no calls.
  std::int32_t priority = 0;     ///< 0..65535, lower first.
  std::string rewrite_caller;    ///< Rules of N-02; "" for none.
  std::string rewrite_callee;
  MediaMode media = MediaMode::auto_mode;
  /// M-07: codecs of its calls, for those it gets in this order; empty, or for a kind of media that
  /// none is of: any. At most codecs_max.
  std::vector<CodecName> codecs{};
  std::optional<std::int32_t> no_media_hangup_s;  ///< Overrides the parameter (M-05).
  RtpInterrupt rtp_interrupt = RtpInterrupt::none;
  bool record = false;                        ///< Its answered calls are recorded (M-15).
  std::optional<MaxCallDuration> max_call_s;  ///< Overrides the parameter (B-12).
  std::optional<GatewayAuth> auth;  ///< A customer must authenticate; to a vendor the switch does.
  SipOptions sip;
  NumberPolicyConfig numbers;  ///< What is not by number groups; without the plan (N-06).
  /// Of a customer: for all calls of its own; of a vendor: for those it gets, before the
  /// customer's.
  std::optional<ForwardPoolConfig> forward_pool;
  NumberGroupRules number_groups;
  bool number_transform = false;  ///< The transform table holds for it (N-05).
  /// Areas whose mobile numbers get their area code as callee (N-04).
  std::vector<std::string> complete_mobile_areas;
  std::int32_t calls_per_second = 0;  ///< R-22; 0..100000, 0: no limit.
  std::int32_t burst = 0;             ///< Calls at once, 0..1000000; 0: as many as a second allows.
  /// Guard of R-18 in hundredths of a percent, -1000000..1000000; the stricter of a call's two
  /// gateways holds.
  std::optional<std::int32_t> min_profit_hundredths;
  std::optional<Amount> max_price_per_s;  ///< R-18: dearest vendor price of a second.
  /// Other than `fixed` needs `auth`; a dynamic gateway has no addresses.
  GatewayRegistration registration = GatewayRegistration::fixed;
  CalleeRestriction callee_restriction = CalleeRestriction::none;  ///< N-06.
  GeofenceConfig geofence{};                                       ///< S-01.
  /// What the other party of its calls hears while it waits for a transfer that this one has
  /// ordered by keys (T-05): as VendorGateway::ring_tone; "": nothing.
  std::string hold_tone{};
};

/// One way of a split.
struct SplitEntry {
  std::int32_t share = 1;  ///< 1..1000.
  std::string add_prefix;  ///< Put before the callee for routing; "" for none.
};

struct CustomerGateway : GatewayConfig {
  /// What its callers hear before they are refused, by the end reason (M-14).
  std::vector<PromptConfig> prompts{};
  std::optional<ReminderConfig> reminder{};  ///< M-14; nothing: that of the account that pays.
  /// M-14: what its callers hear before they are connected; nothing: as the parameter says.
  std::optional<Remaining> announce_remaining{};
  std::string language{};  ///< Id of the voice that says it; "": as the parameter says.
  /// Policies behind the prefix length, first one first; empty: what the parameters say.
  std::vector<RoutePolicy> sort;
  std::vector<SplitEntry> split;                                     ///< R-19; at most 64.
  std::vector<std::string> vendor_groups_allow, vendor_groups_deny;  ///< R-09; gateway groups.
  std::optional<LrnGatewayConfig> lrn;                               ///< R-20; nothing: no query.
  /// Calls of a caller that is a bound number of an account are paid by that account (B-04). Only
  /// for gateways whose callers can be believed.
  bool uses_bound_numbers = false;
  RedirectServers redirect_servers = RedirectServers::as_vendors;  ///< I-03.
  /// A call whose caller is a phone of this switch is paid by that phone; before bound
  /// numbers. Only for gateways whose callers can be believed.
  bool bills_phones = false;
  /// What the switch at its other end asks the admin API with: it opens the totals of this gateway
  /// and nothing else (B-27). "": none.
  std::string reconciliation_token{};
  /// R-12; only their time, `line_limit` and `closed` count.
  std::vector<PeriodConfig> periods{};
  std::string calendar{};  ///< Classes of days for `periods`; "": Monday to Friday work.
};

/// Failover settings of one vendor; nothing means: as the parameter says.
struct SwitchRules {
  std::optional<bool> until_connect;
  std::optional<bool> after_ringing, after_sdp, after_rtp,
      after_busy;                        ///< Whether switching may go on.
  std::vector<std::int32_t> stop_codes;  ///< SIP statuses that end the hunt.
};

/// Caller numbers that a vendor's calls borrow.
struct CallerPoolConfig {
  std::string numbers;                ///< Id of the number group.
  std::int32_t calls_per_number = 1;  ///< At once; 0: any number of calls.
  bool is_random = false;             ///< Else one after the other.
};

/// The switch at the other end of an interconnect, which counts the same calls (B-27).
struct ReconciliationPeer {
  SocketAddress address;  ///< Of its admin API.
  std::string gateway;    ///< The customer gateway there through which our calls come.
  std::string token;      ///< "": none is sent.
  HttpsConfig https{};    ///< Its files are read for each question.
  bool operator==(const ReconciliationPeer&) const = default;
};

struct VendorGateway : GatewayConfig {
  /// What callers hear while it is silent: "tone:ringback/us" or the path of a WAV file, see
  /// AudioClip::load(); "": nothing (M-13).
  std::string ring_tone{};
  std::int32_t ring_tone_after_s = 5;  ///< Since the call came, 0..60.
  std::vector<std::string> prefixes;   ///< R-01; empty: every number.
  PrefixMode prefix_mode = PrefixMode::extension;
  std::vector<std::string> customers_allow, customers_deny;  ///< R-09.
  SwitchRules switching;
  bool options_check = false;  ///< R-17; each of its addresses is asked by OPTIONS.
  bool protect = false;        ///< Only when the others could not deliver (R-08).
  bool require_rate = false;   ///< Without a rate for the number it is passed over (R-18).
  bool least_cost = false;     ///< Its price is compared, not only whether it is the lowest (R-06).
  std::optional<bool> quality;  ///< Whether its answer ratio counts; nothing: the parameter (R-05).
  std::optional<CallerPoolConfig> caller_pool;
  /// Whether its account is charged by the callee behind the rewriting, else by the one before it
  /// (B-16).
  bool clearing_account_use_callout_e164 = false;
  /// Numbers that may have sent a call on, as its Diversion says or the phone here that did; a call
  /// that nobody sent on is not judged (N-06).
  std::vector<std::string> allow_forward_prefixes, deny_forward_prefixes;
  bool send_npdi = true;              ///< Its Request-URI shows `npdi` and `rn` (R-20).
  std::vector<PeriodConfig> periods;  ///< R-13.
  std::string calendar;               ///< Classes of days for `periods`; "": Monday to Friday work.
  std::optional<ReconciliationPeer> reconciliation{};  ///< B-27; nothing: nobody is asked.
};

/// A gateway's place in a group.
struct GroupMember {
  std::string gateway;              ///< Id of a customer or vendor gateway, or of one of each.
  std::int32_t reserved_lines = 0;  ///< Free lines of the group that it leaves to others.
};

/// Gateways that share lines.
struct GatewayGroup {
  std::string id;
  std::int32_t line_limit = -1;  ///< -1: unlimited, 0: none.
  std::vector<GroupMember> members;
  std::vector<PeriodConfig> periods{};  ///< R-12; only their time and `line_limit` count.
  std::string calendar{};  ///< Classes of days for `periods`; "": Monday to Friday work.
};

/// A named list of numbers.
struct NumberGroup {
  std::string id;
  std::vector<std::string> numbers;  ///< In the order that a pool polls them.
};

/// Somebody's recordings of a language, of which numbers and amounts are put together (M-14).
struct SpokenVoiceConfig {
  std::string id;
  std::string folder;  ///< Of its sound files; relative to `SwitchConfig::folder`.
  std::string
      grammar;  ///< As SpokenGrammar::load(); a path is relative likewise. "": that of `id`.
};

/// Switch-wide parameters; each has the VOS name as an alias in the file
/// (docs/configuration.md).
struct Parameters {
  std::int32_t no_media_hangup_s = 0;  ///< M-05; 0: off.
  std::int32_t max_call_s = 0;         ///< B-12; 0: unlimited.
  std::int32_t invite_timeout_s = 10;  ///< P-19, 1..3600, as the next four.
  std::int32_t trying_timeout_s = 20;
  std::int32_t progress_timeout_s = 20;
  std::int32_t progress_sdp_timeout_s = 120;
  std::int32_t ringing_timeout_s = 120;
  std::optional<std::int32_t> switch_limit;  ///< R-15; failovers of one call.
  bool switch_until_connect = false;
  bool stop_switch_after_rtp = true;
  bool stop_switch_after_busy = true;
  /// C-09: causes of statuses, before those of q850_for_sip(); and statuses that a vendor's failure
  /// counts as by the cause that it names, before P-30. At most 128 each, no code of 0.
  std::vector<CodeReplacement> q850_for_sip, sip_for_q850;
  bool stop_switch_after_sdp = true;
  /// Of a vendor at which the switch registers.
  bool stop_switch_after_invite_timeout = false;
  bool forward_pool_random = false;  ///< R-24; of forwarding pools that do not say.
  /// a vendor of mode expiration keeps shorter prefixes away also when it was passed over.
  bool stop_descent_when_passed_over = false;
  bool reply_unauthorized = true;        ///< S-12.
  MediaMode media_mode = MediaMode::on;  ///< M-01.
  /// M-01 step 7: with auto everywhere media is relayed when a party is behind NAT.
  bool media_behind_nat = true;
  bool media_same_nat = false;  ///< Step 8: also when both parties are at one public address.
  /// Step 9: also when one party is in a private network and the other one is not.
  bool media_between_networks = true;
  std::int32_t sip_tos = 0xa0;              ///< P-27: whole TOS byte or traffic class; 0: unmarked.
  std::int32_t media_tos = 0xa0;            ///< M-18, likewise.
  std::int32_t sip_t1_ms = 500;             ///< P-20, RFC 3261 section 17.1.1.1; 100..5000.
  std::int32_t sip_t2_ms = 4000;            ///< At least T1; up to 32000.
  std::int32_t sip_t4_ms = 5000;            ///< 1000..32000.
  std::int32_t rtp_loss_alarm_percent = 0;  ///< O-05, 0..99; 0: off.
  std::int32_t rtp_loss_window_s = 10;      ///< 1..600: loss is judged over so long.
  /// P-20: how long a request over UDP waits before each repetition, and at last before it is given
  /// up; at most 20, each 50..64000. Empty: as T1 and T2 have it.
  std::vector<std::int32_t> sip_resend_ms;
  std::int32_t publish_expires_s = 0;       ///< P-06: longest publication, 0..86400; 0: 405.
  std::int32_t session_timer_s = 600;       ///< P-18; 90..7200, interval that is asked for.
  std::int32_t session_refreshes = 2;       ///< 2..10, refreshes of ours in an interval.
  std::int32_t session_early_hangup_s = 0;  ///< 0..7200: so long before its end it is given up.
  std::int32_t no_timer_max_call_s = 0;     ///< Longest call of a customer without timers; 0: any.
  std::int32_t reminder_before_s = 60;      ///< M-14; 1..3600, of reminders that do not say.
  Remaining announce_remaining = Remaining::none;  ///< M-14; of who does not say.
  std::string language;        ///< M-14: id of the voice for who names none; "": nothing is spoken.
  GeofenceConfig geofence;     ///< S-01; of who has none of its own.
  std::int32_t max_calls = 0;  ///< O-16; 0: unlimited.
  FeeRules fees;               ///< B-07, B-08, B-09.
  std::vector<std::string> free_numbers;  ///< B-09; a trailing '*' makes a prefix.
  RoutePrefixes gateway_route_prefix;     ///< B-14.
  bool record_unanswered = true;          ///< C-02.
  bool record_server_release = true;
  bool record_illegal = true;
  std::int32_t options_check_s = 60;  ///< R-17; 5..3600, between two questions to an address.
  std::int32_t drain_timeout_s = 60;
  std::int32_t interim_mark_s = 10;      ///< 1..3600.
  std::string timezone = "UTC";          ///< Of calendars and periods that name none.
  bool quality_calculate = false;        ///< R-05: count for vendors that do not say.
  std::int32_t quality_window_s = 3600;  ///< 60..86400.
  std::int32_t quality_slice_s = 300;    ///< At most the window, at least a 1440th of it.
  /// 0: not in the order; 1: before the prefix length; 2: behind it; 3: behind the priority.
  /// Nothing: 3 as soon as a vendor has `quality` on, else 0.
  std::optional<std::int32_t> quality_sort_position;
  std::optional<std::int32_t> rate_sort_position;  ///< Likewise for `least_cost` (R-06).
  bool rate_sort_before_quality = false;           ///< Which goes first when both are at one place.
  std::int32_t protect_delay_s = 0;  ///< R-08: how long after arrival protect routes may be tried.
  std::optional<Amount> vendor_balance_minimum;  ///< R-18; nothing: balances are not asked.
  std::int32_t overdraft_advance_min = 0;      ///< B-11: what calls hold ahead; 0: the usual 10 s.
  bool verify_customer_balance = true;         ///< B-28: calls stay within the customer's money.
  bool verify_agent_balance = true;            ///< The same of agents.
  std::int32_t registration_expires_s = 3600;  ///< P-05; 20..7200.
  std::int32_t phone_contacts = 1;             ///< P-05; 1..8 devices of one number.
  std::int32_t register_per_source = 20;       ///< S-09; a second, 0: no limit.
  std::int32_t register_burst = 100;
  std::int32_t register_total = 2000;
  std::int32_t auth_failures = 6;  ///< S-08.
  bool auth_suspend = true;
  std::int32_t auth_suspend_s = 180;
  std::int32_t auth_rounds = 6;       ///< Challenges that one INVITE to a vendor answers (P-04).
  std::int32_t auth_rounds_s = 10;    ///< Time for them, from the first one.
  bool auth_sha256 = true;            ///< P-04: challenges offer SHA-256 behind MD5.
  bool offline_to_gateways = false;   ///< R-21, for phones that do not say.
  bool no_billing_to_phones = false;  ///< B-09.
  bool call_forward_using_original_caller = true;  ///< T-09, for phones that do not say.
  /// T-04: whom the target of a transfer sees calling, who is transferred or who transfers.
  bool call_transfer_using_original_caller = true;
  /// T-08: who is transferred hears the target ring once the transferor has hung up.
  bool call_transfer_remote_ring = true;
  /// T-05: whom the target sees calling where the transferor speaks with it first, by keys.
  bool call_transfer_ask_using_original_caller = false;
  /// T-07: time for the first digit of a transfer by keys and for each further key; 1..60.
  std::int32_t transfer_first_key_s = 10, transfer_key_s = 5;
  std::string pickup_code;           ///< T-10: 1..8 of 0-9 * #; "": none.
  bool pickup_code_is_last = false;  ///< It stands behind the number of a phone, not before.
  /// T-17: so long a call that the host serves waits for an order; 1..3600.
  std::int32_t service_idle_s = 30;
  std::string billing_forward_prefix;     ///< B-15; at most 32 characters, "": none.
  std::int32_t registration_check_s = 0;  ///< P-05; 0..3600, 0: nobody is asked between REGISTERs.
  std::string nat_keep_alive_message = "HELLO";   ///< P-22; at most 64 characters, "": none.
  std::int32_t nat_keep_alive_period_s = 30;      ///< 5..3600.
  std::int32_t nat_keep_alive_interval_ms = 500;  ///< 10..10000, between two batches.
  std::int32_t nat_keep_alive_batch = 3000;       ///< 1..100000 messages.
  std::int32_t outbound_expires_s = 3600;         ///< R-25; 20..7200.
  std::int32_t outbound_retry_s = 60;             ///< R-25; 30..600, doubles up to 600.
  CdrGuards query_guards;                         ///< C-13, of questions to the records.
  std::uint32_t query_denied_hours = 0;    ///< C-13; bit h: none from h:00 to h:59 in `timezone`.
  std::int32_t cdr_pending_max = 100'000;  ///< C-07; alarm from 80 % on, 0..1,000,000,000; 0: none.
  std::int32_t cdr_file_interval_s = 0;    ///< C-05; above 0: a "files" sink in "cdr-files".
  std::int32_t cdr_file_max = 2048;        ///< Its files_max.
  /// B-27: from this deviation of calls, talk or money on an alarm is raised; hundredths of a
  /// percent of the larger value.
  std::int32_t reconciliation_line_hundredths = 100;
  std::int32_t reconciliation_period_s = 300;  ///< B-27; 10..86400.
  std::int32_t ledger_retention_days = 0;  ///< 0: for ever; 1..36500: older entries are carried.
};

struct ListenConfig {
  SipTransport transport = SipTransport::udp;
  SocketAddress address;
  ClientCertificate client_certificate = ClientCertificate::none;  ///< TLS, WebSocket over it.
  /// WebSocket: where the pages that connect must come from, such as "https://phone.example"; at
  /// most 64. Empty: anywhere, and then nobody is known by an address alone.
  std::vector<std::string> origins = {};
};

struct CdrSinkConfig {
  std::string type;  ///< "sqlite", "csv", "files", "http", "postgresql", "mariadb" or
                     ///< "slots".
  /// Folder; default "cdr", of files "cdr-files", of those on other machines "cdr-TYPE": they keep
  /// their place there.
  std::string path;
  bool header = true;             ///< csv, files: a header line in each file.
  std::string format = "csv";     ///< csv, files: "csv" or "vos" (C-04).
  bool unanswered = true;         ///< csv, files: unanswered calls too.
  std::int32_t interval_s = 300;  ///< files: time of a file (C-05); 60..86400.
  std::int32_t records_max = 0;   ///< files: records of a file; 0: any number.
  std::int32_t files_max = 2048;  ///< files: complete files that are kept; 0: all.
  /// Refusals of one record, as such, before it is set aside and the next one is offered; 0: never.
  std::int32_t set_aside_after = 0;
  CdrPushConfig push{};  ///< http; its folder is `path`.
  CdrSqlConfig sql{};    ///< postgresql, mariadb; likewise.
  bool operator==(const CdrSinkConfig&) const = default;
};

/// Objects by list. The order of the lists' members is that of the file.
struct Provision {
  std::vector<AccountConfig> accounts;
  std::vector<RateDeckConfig> rate_decks;
  std::vector<CustomerGateway> customer_gateways;
  std::vector<VendorGateway> vendor_gateways;
  std::vector<GatewayGroup> gateway_groups;
  std::vector<NumberGroup> number_groups;
  std::vector<CalendarConfig> calendars;
  std::vector<NumberTransform> number_transforms;
  std::vector<MobileArea> mobile_areas;
  std::vector<NumberingPlanEntry> numbering_plan;
  std::vector<GeofenceArea> geofence_areas;
  std::vector<PhoneConfig> phones;
  std::vector<LrnResolverConfig> lrn_resolvers;
  std::vector<PackageConfig> packages;
  std::vector<PackageOrder> package_orders;
  std::vector<SpokenVoiceConfig> voices;
  /// The JSON that an object was read from, by list and id; decks without rates. For showing and
  /// storing it; what holds is the structure.
  std::map<std::string, std::map<std::string, std::string, std::less<>>, std::less<>> documents;
};

/// Where recordings go, what they are called and how long they stay (M-15).
struct RecordingConfig {
  std::string folder = "recordings";  ///< Relative to `SwitchConfig::folder`; made when absent.
  /// File below the folder without ".wav"; of {date} {time} {id} {caller} {callee} {customer}
  /// {vendor} and text. Times are UTC.
  std::string name = "{date}/{time}-{caller}-{callee}-{id}";
  std::int32_t file_megabytes_max = 512;   ///< 1..4095.
  std::int32_t free_megabytes_min = 1024;  ///< 0..1,000,000; below nothing is recorded.
  std::int32_t calls_max = 1000;           ///< At once, 1..100,000.
  std::int32_t delete_after_days = 0;      ///< 0..36,500; 0: never.
  bool operator==(const RecordingConfig&) const = default;
};

/// The whole of it. Only `sip_listen` has no default.
struct SwitchConfig {
  std::string folder = ".";  ///< Relative paths start here: the folder of the file.
  std::string database = "switch.db";
  /// Large rate decks in the database have images beside it that a start reads them from.
  bool deck_images = true;
  std::vector<ListenConfig> sip_listen;
  std::int32_t sip_workers = 1;  ///< 1..64.
  /// S-14: connections that a worker has with one IP address, each way; 1..4096. Browsers behind
  /// one proxy or NAT share an address.
  std::int32_t sip_connections_per_peer = 100;
  /// Server and User-Agent header (P-28); "": none is sent; nothing: the library and its version.
  std::optional<std::string> sip_product;
  std::optional<TlsConfig> sip_tls;  ///< Relative paths start at `folder`. Needed by TLS listeners.
  IpAddress media_address;           ///< None: the address of the first `sip_listen`.
  std::optional<IpAddress> media_address6;  ///< For IPv6 media beside an IPv4 `media_address`.
  std::uint16_t media_port_low = 10000;
  std::uint16_t media_port_high = 39999;
  MediaBackend media_backend = MediaBackend::automatic;
  MediaKernelConfig media_kernel;  ///< But `adopted_silence_ms`: no_media_hangup_s says that.
  std::int32_t media_shards = 1;   ///< MediaConfig::shards.
  std::int32_t media_nice = -10;   ///< MediaConfig::nice.
  std::int32_t media_jitter_min_ms = 20;   ///< MediaConfig::jitter_min_ms (M-16).
  std::int32_t media_jitter_max_ms = 200;  ///< MediaConfig::jitter_max_ms; 0: no buffer.
  /// MediaConfig::dtls_certificate and dtls_key; relative to `folder`.
  std::string media_dtls_certificate, media_dtls_key;
  std::optional<RecordingConfig> recording;  ///< Nothing: no call is recorded.
  std::optional<SocketAddress> admin_listen;
  std::string admin_token;  ///< Required when `admin_listen` is not loopback.
  std::string cdr_journal = "journal";
  /// Commits of the journal start so far apart, unless many records wait; an answer waits for one.
  std::int32_t cdr_commit_interval_ms = 4;
  std::vector<CdrSinkConfig> cdr_sinks;        ///< Default: one "sqlite".
  MaintenanceConfig maintenance;               ///< Of the day files of the first "sqlite" (O-08).
  DnsConfig dns;                               ///< Of the names of gateways; taken at the start.
  TraceConfig trace;                           ///< O-12.
  std::optional<WebhookConfig> phone_notices;  ///< I-02; nothing: none are sent.
  Parameters parameters;
  Provision provision;
  std::string shadow;  ///< The plan of a shadow that starts with the switch (JSON); "": none.

  [[nodiscard]] TANDEM_EXPORT std::string path(
      std::string_view relative) const;  ///< Resolved against `folder`.
};

/// One thing wrong in a configuration.
struct ConfigError {
  std::string
      pointer;  ///< JSON pointer (RFC 6901) to the most specific place; "" for the whole text.
  std::string message;
};

/// What reading a configuration gave: a config when `errors` is empty.
struct ConfigReading {
  SwitchConfig config;
  std::vector<ConfigError> errors;  ///< Every error found, in the order of the text.
};

/// Reads the JSON text of a configuration (comments allowed). Rate deck files are read too, and
/// names of LRN resolvers resolved; those of gateways are while the switch runs. `folder`: what
/// relative paths start from.
TANDEM_EXPORT ConfigReading read_config(std::string_view json, const std::string& folder);

/// What is allowed and hardly meant, such as margin guards that a vendor without rates passes. The
/// pointers are those of a file that has just these objects.
TANDEM_EXPORT std::vector<ConfigError> config_warnings(const SwitchConfig& config);

/// What is wrong with the sound files that a configuration names.
struct SoundFaults {
  std::vector<ConfigError> errors;    ///< A switch does not start with these.
  std::vector<ConfigError> warnings;  ///< It does, and cannot speak some words (M-14).
};
/// Reads them from the disk.
TANDEM_EXPORT SoundFaults sound_faults(const SwitchConfig& config);

/// Names of gateways that stand for no address now, by asking the name servers; blocks for as long
/// as they take, at most 10 seconds. The pointers are as those of config_warnings().
TANDEM_EXPORT std::vector<ConfigError> unresolved_names(const SwitchConfig& config);

/// Reads a file; `folder` is the file's. A file that cannot be read is one error with an empty
/// pointer.
TANDEM_EXPORT ConfigReading read_config_file(const std::string& path);

/// The configuration reference as Markdown, made from the parser's own tables.
TANDEM_EXPORT std::string config_reference_markdown();

}  // namespace tandem
