// The whole switch: call control, routing, rating, media and CDRs, wired together.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/accounts.hpp"
#include "tandem/call.hpp"
#include "tandem/call_reports.hpp"
#include "tandem/cdr.hpp"
#include "tandem/cdr_columns.hpp"
#include "tandem/cdr_query.hpp"
#include "tandem/cdr_table.hpp"
#include "tandem/clock.hpp"
#include "tandem/config.hpp"
#include "tandem/corrections.hpp"
#include "tandem/deck_reports.hpp"
#include "tandem/disputes.hpp"
#include "tandem/error.hpp"
#include "tandem/event_feed.hpp"
#include "tandem/export.h"
#include "tandem/external_calls.hpp"
#include "tandem/ledger.hpp"
#include "tandem/log.hpp"
#include "tandem/lrn.hpp"
#include "tandem/maintenance.hpp"
#include "tandem/media_recorder.hpp"
#include "tandem/media_relay.hpp"
#include "tandem/phones.hpp"
#include "tandem/provision.hpp"
#include "tandem/reconciliation.hpp"
#include "tandem/rerate_job.hpp"
#include "tandem/trace.hpp"
#include "tandem/values.hpp"
#include "tandem/voice.hpp"
#include "tandem/webhook.hpp"

namespace tandem {

/// What the host brings. All members may be left empty.
///
/// Callbacks run on the switch's callback thread, one at a time; they may block (the calls do not
/// wait for them, but for a policy answer up to its deadline) and may call any method of the switch
/// but close() and the destructor. After close() returns none runs.
struct SwitchHooks {
  LogSink log;  ///< On the thread that logs; see Log.
  LogLevel log_level = LogLevel::info;
  std::function<void(const Event&)> on_event;
  std::function<void(const PolicyQuestion&)>
      on_policy;                              ///< Answer with Switch::answer(), here or later.
  std::int64_t policy_deadline_us = 500'000;  ///< 1 ms..10 s; then `policy_default` holds.
  PolicyAnswer policy_default;
  /// Asked by LRN resolvers of kind `host`. Answer with Switch::answer_lrn(), here or later,
  /// within the resolver's `timeout_ms`.
  std::function<void(const LrnQuestion&)> on_lrn;
  std::size_t event_queue_max = 65536;  ///< Older events are kept, newer ones dropped and counted.
  std::vector<std::shared_ptr<CdrSink>> cdr_sinks;  ///< Beside those of the configuration.
};

/// A call to be judged without being made: where it comes from, its numbers as they
/// would arrive, and when.
struct ExplainRequest {
  std::string from;  ///< Customer gateway id, "IP" or "IP:PORT".
  std::string caller;
  std::string callee;
  std::optional<std::int64_t> at_us = std::nullopt;  ///< Nothing: now.
  /// What a look-up of the callee would give. Nothing: what the cache has; no resolver is
  /// asked.
  std::optional<LrnRecord> lrn = std::nullopt;
  std::optional<std::string> caller_region = std::nullopt;  ///< The same of the caller.
  /// Who sent the call on, a number; believed, whatever the customer may say of it (N-06). Nothing:
  /// nobody.
  std::optional<std::string> forwarder = std::nullopt;
};

/// One address of a vendor gateway as routing sees it now.
struct GatewayAddressView {
  SocketAddress address;
  bool is_online = true;         ///< It answers, or is not asked (R-17).
  std::int64_t disabled_ms = 0;  ///< What is left of a Retry-After (R-16), or of DnsConfig::rest_s.
  std::string name{};            ///< That it was found by; "": configured as an address.
  std::string transport{};       ///< "udp", "tcp" or "tls".
  std::uint32_t rank = 0;        ///< Lower is tried first (priority of SRV); by name only.
  std::uint32_t weight = 0;      ///< Share among equal ranks; by name only.
};

/// A name of a gateway as it is known now (RFC 3263).
struct GatewayNameView {
  std::string name;                    ///< As configured.
  std::vector<std::string> addresses;  ///< "IP:PORT"; of customers "IP".
  bool is_known = false;               ///< Something was answered, be it that there is nothing.
  bool is_stale = false;               ///< Beyond its TTL, because no name server answers.
  std::int64_t ttl_ms = 0;             ///< Until the first record of it ends; below 0: ended.
  std::int64_t age_ms = 0;             ///< Since the oldest record of it was answered.
  std::string error;                   ///< Of the last look-up; "": none.
};

struct GatewayView {
  std::string id;
  bool is_vendor = false;
  std::int32_t calls = 0;
  std::int32_t line_limit = -1;
  bool locked = false;
  std::vector<GatewayAddressView> addresses;  ///< Of a vendor, in the order of preference.
  GatewayRegistration registration = GatewayRegistration::fixed;
  /// Dynamic: it is registered here; outbound: the switch is registered there. Always true of
  /// others.
  bool is_registered = true;
  std::vector<GatewayNameView> names{};  ///< Of a gateway that has names.
  std::vector<ContactView> contacts;     ///< Of a dynamic one: where it registered.
  std::int64_t registered_until_us = 0;  ///< Of an outbound one; wall clock, 0: not registered.
  std::int32_t registration_status = 0;  ///< Of its last REGISTER; 0: no answer, or none yet.
};

/// Look-ups of the names of gateways.
struct NameCounters {
  std::uint64_t questions = 0;  ///< Sent to name servers, repeated ones too.
  std::uint64_t answers = 0;
  std::uint64_t timeouts = 0;       ///< Questions that a server left without an answer.
  std::uint64_t failures = 0;       ///< Look-ups that no server answered.
  std::uint64_t strays = 0;         ///< Datagrams that answered nothing that was asked: forgeries.
  std::uint64_t truncated = 0;      ///< Answers that were fetched over TCP.
  std::uint64_t names = 0;          ///< Now: that are kept.
  std::uint64_t names_failing = 0;  ///< Now: that stand for nothing, or only for something old.
};

/// Counters since the start; docs/admin-api.md has the names they carry as metrics.
struct SwitchCounters {
  std::uint64_t calls_started = 0, calls_answered = 0, calls_ended = 0, calls_refused = 0;
  std::uint64_t calls_live = 0;
  std::uint64_t events_dropped = 0;
  std::uint64_t datagrams_received = 0, malformed = 0, retransmissions = 0;
  std::uint64_t journal_records = 0, journal_lag = 0;
  bool journal_writable = true;
  bool is_draining = false;  ///< drain() or close() was called: new calls are refused.
  std::vector<std::uint64_t> calls_by_worker;
  /// Now, not since the start: SIP dialogs and transactions, and media sessions with their ports.
  std::uint64_t dialogs_live = 0, transactions_live = 0, media_sessions_live = 0;
  MediaRelayStats media;                          ///< Of the media relay.
  std::vector<MediaBackendState> media_backends;  ///< Of the media relay; empty before run().
  RecorderStats recorder;                ///< Of its recordings; all zero without `recording`.
  std::uint64_t event_feeds = 0;         ///< Watchers now, see Switch::watch().
  std::uint64_t feed_events_lost = 0;    ///< By all watchers together.
  std::vector<LrnCounters> lrn;          ///< By resolver, in the order of the configuration.
  std::uint64_t registrants_online = 0;  ///< Phones and gateways that are registered here, now.
  /// REGISTER requests that were served; that got 503 since all together were too many; and that
  /// got no answer since their source, or again all together, sent too many (S-09).
  std::uint64_t registers_received = 0, registers_refused = 0, registers_dropped = 0;
  /// TLS connections that came about, either way, and those that did not or were of no use:
  /// certificates, protocol, bytes that were no TLS, or the deadline (P-01). `tls_refused`: those
  /// of peers beyond the rate of handshakes, which were closed before any.
  std::uint64_t tls_handshakes = 0, tls_failures = 0, tls_refused = 0;
  /// WebSocket connections that came about, and those that did not: TLS, HTTP, Origin, protocol or
  /// the deadline (P-01).
  std::uint64_t websockets_opened = 0, websocket_failures = 0;
  NameCounters dns;                             ///< Of the names of gateways.
  std::uint64_t traces_running = 0;             ///< Now, without the ring (O-12).
  std::uint64_t hep_sent = 0, hep_dropped = 0;  ///< Copies to the HEP server.
  /// New calls under overload: that got 503; that were not answered at all, since there was not
  /// even time for that; that waited for their turn.
  std::uint64_t overload_refused = 0, overload_dropped = 0, overload_waited = 0;
  /// Now: what peers are asked to keep back of new calls, in percent, by the worker that asks for
  /// the most (RFC 7339).
  std::uint64_t overload_loss_percent = 0;
  /// Connections of SIP (S-14): now; refused, since there were too many of all or of one peer;
  /// closed, since no message came, or since the peer did not read what was sent to it.
  std::uint64_t connections_live = 0, connections_refused = 0, connections_unused = 0,
                connections_deaf = 0;
  WebhookState phone_notices;  ///< I-02.
  /// Now, in bytes: what the pools and tables of SIP transactions and dialogs hold of memory.
  /// Looked at four times a second while there are some.
  std::uint64_t sip_memory_bytes = 0;
  /// The ledger's, the packages', then those of the configuration and the host's own.
  std::vector<CdrSinkState> sinks;
};

/// A softswitch. Any number of them live in one process, independent of each other.
///
/// Threading: thread-safe. Every method may be called from any thread, host callbacks included (but
/// close() and the destructor not from them). In a simulated world all of it happens on the world's
/// thread.
class TANDEM_EXPORT Switch {
 public:
  /// Objects that were put through provisioning() before are there too, under those of `config`.
  ///
  /// Opens sockets, database and journal, recovers what a crash left (calls that were up get their
  /// CDR, `ServerCrash`), loads the tables. No call is taken before start(). Errors:
  /// invalid_argument (the configuration), io and already_exists (port, folder, database), corrupt
  /// (journal).
  static Result<std::unique_ptr<Switch>> create(const SwitchConfig& config, SwitchHooks hooks = {});
  ~Switch();  ///< close().
  Switch(const Switch&) = delete;
  Switch& operator=(const Switch&) = delete;

  /// Takes calls from now on. Errors: wrong_state (started or closed before).
  Result<void> start();
  /// Refuses new calls (503, `ServerShutdown`); running ones go on. Irrevocable.
  void drain();
  [[nodiscard]] std::size_t live_calls() const;
  /// Waits until no call is up. `timeout_us` >= 0. Errors: timeout. Not in a simulated world.
  Result<void> wait_idle(std::int64_t timeout_us);
  /// Ends calls that are still up with BYE (`ServerShutdown`), writes what waits, stops all
  /// threads. Idempotent.
  void close();

  /// Applies another configuration to new calls; calls in progress keep theirs. Objects
  /// are upserted, over those put through provisioning() too. Returns the keys that differ and need
  /// a restart ("sip.listen"); the rest is in force. Errors: invalid_argument (then nothing
  /// changed), io, wrong_state (closed).
  Result<std::vector<std::string>> reload(const SwitchConfig& config);

  /// The provisioned objects, for looking at and changing them. Lives as long as the switch; after
  /// close() nothing can be changed.
  [[nodiscard]] Provisioning& provisioning();

  /// Watches events from now on, beside `SwitchHooks::on_event` and other watchers. `queue_events`:
  /// 1..1,000,000 that may wait until they are taken. Errors: invalid_argument, limit (64 feeds),
  /// wrong_state (closed).
  Result<EventFeed> watch(std::size_t queue_events = 4096);

  [[nodiscard]] std::vector<CallView> calls() const;
  /// Ends a call (`AdminDisconnect`). Errors: not_found.
  Result<void> disconnect(std::uint64_t id);
  /// Begins or ends the recording of an answered call (M-15), whatever the configuration says of
  /// it; nothing happens when it is so already. Errors: not_found (no such call, or no relayed
  /// audio), wrong_state (not answered, or no `recording` is configured), unsupported (encrypted
  /// end to end), limit (too many, or too little free space).
  Result<void> record(std::uint64_t id, bool on = true);
  /// What the host orders of a call that it serves (T-17, voice.hpp, docs/voice.md): done when this
  /// returns, and what comes of it is told by an event `call_service`. Errors: invalid_argument
  /// (see check()), not_found (no such call, or no such `customer`), wrong_state (it is not served,
  /// was not answered, or is being bridged), unsupported (no way to play), limit (too many sounds
  /// at once, or bridges of the call; or its loop was too busy, and may carry it out later).
  Result<void> order(std::uint64_t id, const ServiceOrder& what);
  /// The same by their names.
  Result<void> answer_call(std::uint64_t id);
  Result<void> play(std::uint64_t id, const PlayOrder& what);
  Result<void> stop(std::uint64_t id);
  Result<void> collect(std::uint64_t id, const CollectOrder& what);
  Result<void> bridge(std::uint64_t id, const BridgeOrder& what);
  Result<void> hang_up(std::uint64_t id, int q850_cause = 16);
  /// Answers a policy question; late or unknown tokens are ignored.
  void answer(std::uint64_t token, const PolicyAnswer& answer);
  /// Answers a question of `on_lrn`; late or unknown tokens are ignored. An answer whose `lrn` is
  /// none (see is_lrn()) or whose region is too long counts as failed.
  void answer_lrn(std::uint64_t token, const LrnAnswer& answer);

  [[nodiscard]] std::vector<AccountState> accounts() const;
  [[nodiscard]] std::optional<AccountState> account(std::string_view id) const;
  /// Books a payment (negative: a deduction) durably; returns the new balance. Errors: not_found,
  /// invalid_argument (zero or out of range), io (the journal cannot be written).
  Result<Amount> pay(std::string_view account, Amount amount, std::string_view memo = {});
  /// Moves money durably (B-03). With a key a repetition is answered as the first was, whenever it
  /// comes, over restarts too; keys that begin with own_key_prefix are not for hosts. Errors:
  /// not_found, invalid_argument, already_exists (the key was used for another booking),
  /// wrong_state (`is_covered_only`, and the account does not have it), limit (the balance would
  /// leave its range), io (the journal cannot be written; or the disk did not take it in time: then
  /// it may be booked, and a repetition with its key tells).
  Result<BookingAnswer> book(const Booking& booking);
  /// What moved the balance of an account, newest first, within a second of the movement. Also of
  /// accounts that were removed. Errors: invalid_argument, io.
  Result<std::vector<LedgerEntry>> ledger(const LedgerQuery& query) const;
  /// See tandem::check_ledger(). May take as long as reading the ledger does. In a simulated world
  /// the entries alone.
  Result<LedgerCheck> check_ledger() const;
  /// Current packages of an account in the order of their use, and its monthly rules; behind them
  /// those that it pays for its phones (B-18, B-22). Errors: not_found.
  [[nodiscard]] Result<std::vector<PackagePeriod>> packages(std::string_view account) const;
  /// The same of one phone. Errors: not_found.
  [[nodiscard]] Result<std::vector<PackagePeriod>> phone_packages(std::string_view number) const;
  [[nodiscard]] std::vector<GatewayView> gateways() const;
  /// Phones with where they are registered, in the order of the configuration.
  [[nodiscard]] std::vector<PhoneView> phones() const;
  /// Nothing: there is no such phone.
  [[nodiscard]] std::optional<PhoneView> phone(std::string_view number) const;
  /// Who is suspended after wrong passwords (S-08).
  [[nodiscard]] std::vector<SuspensionView> suspensions() const;
  /// Ends a suspension; an empty `user` ends those of the whole address. Errors: not_found,
  /// invalid_argument (no address).
  Result<void> lift_suspension(std::string_view user, std::string_view address);
  /// How notices of phones fare (I-02).
  [[nodiscard]] WebhookState phone_notices() const;
  /// Tells the server of `phone_notices` of every phone, on line or not, as it is when its turn
  /// comes; behind what waits already, and without taking more room than that. Returns how many
  /// phones there are. Errors: wrong_state (none are configured, or the switch was closed).
  Result<std::size_t> notify_phones();
  [[nodiscard]] SwitchCounters counters() const;

  /// Newest first. Errors: as query_cdrs().
  Result<std::vector<Cdr>> cdrs(const CdrQuery& query) const;
  /// All records of a filter one after the other, newest first, or those behind one of them.
  /// Errors: as query_cdrs().
  Result<CdrCursor> cdr_cursor(const CdrFilter& filter,
                               std::optional<std::uint64_t> before_record_id = {}) const;
  /// A report over the records, by the decks in force now. Errors: as call_report().
  Result<CallReport> call_report(const CallReportRequest& request) const;
  /// margin_report() and rerate_history() by the objects in force now. Errors: theirs.
  Result<std::vector<MarginRow>> margin_report(
      const std::string& sell, const std::vector<std::string>& buys,
      std::optional<std::int64_t> at_us = std::nullopt) const;
  Result<Rerater> rerate_history(const RerateQuery& query) const;
  /// Changes what a call that is over was charged (B-25), durably. With a key a repetition is
  /// answered as the first was. Needs a SQLite sink. Errors: not_found (no such record, or an
  /// account that is gone), invalid_argument (check_correction(), a side that the call has not, no
  /// such deck or rate), already_exists (the key was used for another correction), unsupported (no
  /// sink), limit (a balance would leave its range), io.
  Result<Correction> correct(const CorrectionRequest& request);
  /// Corrections, newest first, within a second. Errors: invalid_argument, io.
  Result<std::vector<Correction>> corrections(const CorrectionQuery& query) const;
  /// rerate_history() whose result becomes the charge of each call that differs: of the customers'
  /// side or the vendors', one correction a call. Calls that already have that charge are left
  /// alone, so that a repetition moves nothing, and one that was cut short goes on. A dry run
  /// answers the same rows and sums. Blocks. Days and hours of the guards of questions (C-13)
  /// refuse it at its beginning; the others do not hold for it. Errors: those of both; what was
  /// corrected before an error stays so.
  Result<AppliedRerate> apply_rerate(const RerateQuery& query,
                                     const RerateApplication& application);
  /// apply_rerate() on a thread of the switch, one at a time; a month of calls takes minutes.
  /// Returns the number of the job. Ends early, with what was corrected so far, when it is
  /// cancelled or the switch is closed; a repetition goes on. In a simulated world it is over when
  /// this returns. Errors: already_exists (one runs), wrong_state (closed), limit (no thread), and
  /// those of apply_rerate() that show before the first record.
  Result<std::uint64_t> start_rerate(const RerateQuery& query,
                                     const RerateApplication& application);
  /// How far a job is; the last sixteen that ended are known, until the switch goes. Errors:
  /// not_found.
  [[nodiscard]] Result<RerateJob> rerate_job(std::uint64_t id) const;
  /// Asks a job to end soon; nothing happens to one that ended. Errors: not_found.
  Result<void> cancel_rerate(std::uint64_t id);
  /// Records and charges a call that another system carried (B-26), durably; a flow number once,
  /// over restarts too. Packages and limits count nothing of it, and no event tells of it. Errors:
  /// invalid_argument (check_external_call(), no such account, gateway or rate), limit (a balance
  /// would leave its range), wrong_state (closed), io (the journal cannot be written; or the disk
  /// did not take it in time: then it may be recorded, and a repetition with its flow number
  /// tells).
  Result<ExternalAnswer> record_call(const ExternalCall& call);
  /// What a gateway's calls came to (B-27). Errors: those of tandem::interconnect_totals().
  Result<InterconnectTotals> interconnect_totals(const InterconnectQuery& query) const;
  Result<std::vector<InterconnectCall>> interconnect_calls(const InterconnectQuery& query) const;
  /// The last comparisons with the switches at the other ends (`reconciliation` of vendor
  /// gateways), in order of the gateway's id.
  [[nodiscard]] std::vector<PeerCheck> peer_checks() const;
  /// Whether `token` is the `reconciliation_token` of a customer gateway. Takes the same time
  /// wherever two tokens of one length differ.
  [[nodiscard]] bool is_reconciliation_token(std::string_view gateway,
                                             std::string_view token) const;
  /// What would be done with a call, by the code that routes calls, as one JSON object
  /// (docs/tandem-switch.md). Errors: not_found (`from` is neither a gateway nor an address).
  Result<std::string> explain(const ExplainRequest& request) const;

  /// Routes the calls that arrive from now on by other tables too, once they are over: those of
  /// `plan`, a JSON object, laid over what is in force now and frozen. No call, line, balance or
  /// turn is touched. Keys, none required (docs/routing.md): `decks` [{"id", "version"}], stored
  /// versions instead of the active ones; `provision`, objects as in the configuration; `remove`
  /// {LIST: [ID]}; `parameters`; `memo`. Errors: invalid_argument (names the place in the plan),
  /// not_found (a version), wrong_state (a shadow runs, or the switch was closed), io.
  Result<void> start_shadow(std::string_view plan);
  /// What the shadow would have changed so far, as one JSON object. Errors: not_found (none runs).
  Result<std::string> shadow_report() const;
  /// Ends it and returns its last report, which has every call that was not dropped. Errors:
  /// not_found (none runs).
  Result<std::string> stop_shadow();

  /// Records the calls that arrive from now on and fit, until a bound of the request is reached
  /// (O-12, docs/trace.md). Errors: invalid_argument (names the key), limit (16 traces, or the
  /// memory of `trace`, are taken by those that run), wrong_state (closed).
  Result<TraceView> start_trace(const TraceRequest& request);
  /// Records nothing more; what there is stays. Errors: not_found, wrong_state (it has ended).
  Result<TraceView> stop_trace(std::uint64_t id);
  /// Forgets a trace and its calls, stopping it first. Errors: not_found, wrong_state (the ring).
  Result<void> remove_trace(std::uint64_t id);
  /// The ring of the latest calls first, when there is one, then all that are known, in order of
  /// id.
  [[nodiscard]] std::vector<TraceView> traces() const;
  [[nodiscard]] Result<TraceView> trace(std::uint64_t id) const;  ///< Errors: not_found.
  /// The calls of a trace, newest first, those that are up too. Errors: not_found.
  [[nodiscard]] Result<std::vector<TracedCallView>> traced_calls(std::uint64_t id) const;
  [[nodiscard]] Result<TracedCall> traced_call(std::uint64_t id,
                                               std::uint64_t call) const;  ///< The same.

  /// What the maintenance of the day files does (O-08), scheduled by `maintenance` of the
  /// configuration. stored_days() tells of the days themselves.
  [[nodiscard]] MaintenanceState maintenance() const;
  /// Begins it on a thread of its own and returns; maintenance() tells how it ended. `day`:
  /// "YYYY-MM-DD"; "" with MaintenanceAct::run. Errors: invalid_argument (`day`, or what is no
  /// act), already_exists (something is going on), unsupported (no SQLite sink), wrong_state (the
  /// switch was closed), limit (no thread).
  Result<void> start_maintenance(MaintenanceAct act, std::string_view day = {});
  /// stored_days() of what is in force.
  [[nodiscard]] Result<std::vector<StoredDay>> stored_days() const;
  /// maintenance_notes() of what is in force.
  [[nodiscard]] Result<std::vector<MaintenanceNote>> maintenance_notes(
      const MaintenanceNoteQuery& query = {}) const;
  /// The functions of these names of what is in force, by the switch's clock; a line in the log
  /// tells of each mark (O-09). Errors: theirs, wrong_state (the switch was closed).
  Result<Dispute> dispute_record(const DisputeRequest& request);
  Result<Dispute> resolve_dispute(const DisputeRequest& request);
  [[nodiscard]] Result<std::vector<Dispute>> disputes(const DisputeQuery& query) const;

  /// SIP addresses with the ports really taken, in the order of the configuration.
  [[nodiscard]] std::vector<ListenConfig> listening() const;

 private:
  friend class SwitchAccess;
  class Body;
  explicit Switch(std::unique_ptr<Body> body);
  std::unique_ptr<Body> body_;
};

/// explain() without a running switch: loads the tables of `config`, nothing else. Errors:
/// not_found as Switch::explain(), invalid_argument (the configuration).
TANDEM_EXPORT Result<std::string> explain(const SwitchConfig& config,
                                          const ExplainRequest& request);

/// An answer of explain() as text for people: the stages, then every vendor with its rank, its keys
/// from left to right as they are compared, its rate and profit, and why it is passed over. Errors:
/// invalid_argument (`answer` is none).
TANDEM_EXPORT Result<std::string> explain_table(std::string_view answer);

/// Rates a call of `seconds` to `callee` against a deck of `config`; JSON as of to_json(RatedCall).
/// Errors: not_found (no rate for the number), invalid_argument (unknown deck, bad number).
TANDEM_EXPORT Result<std::string> rate(const SwitchConfig& config, std::string_view deck,
                                       std::string_view callee, std::int64_t seconds,
                                       std::optional<std::int64_t> at_us = {});

/// CDRs of the SQLite sink of `config`, whether a switch runs on it or not, within the guards of
/// its parameters (C-13). Errors: those of CdrStore::query(), unsupported (no SQLite sink),
/// wrong_state (no questions are answered at this hour).
TANDEM_EXPORT Result<std::vector<Cdr>> query_cdrs(const SwitchConfig& config,
                                                  const CdrQuery& query);
/// The same as a cursor.
TANDEM_EXPORT Result<CdrCursor> cdr_cursor(const SwitchConfig& config, const CdrFilter& filter,
                                           std::optional<std::uint64_t> before_record_id = {});
/// The same by SQL: one SELECT about the table `cdrs`, at most `rows_max` rows. Errors: those of
/// cdr_sql() of a place, unsupported, wrong_state as above.
TANDEM_EXPORT Result<CdrSqlAnswer> cdr_sql(const SwitchConfig& config, std::string_view sql,
                                           std::size_t rows_max = CdrSqlLimits().rows_max);
/// The same as arrays. Errors: those of CdrColumns::read(), unsupported, wrong_state as above.
TANDEM_EXPORT Result<CdrColumns> cdr_columns(const SwitchConfig& config,
                                             const CdrColumnsRequest& request);
/// A report over the same records; levels of calls come from the decks of `config`. Errors: those
/// of query_cdrs(), and of call_report() of a folder.
TANDEM_EXPORT Result<CallReport> call_report(const SwitchConfig& config,
                                             const CallReportRequest& request);

TANDEM_EXPORT std::string to_json(const AccountState& account);
TANDEM_EXPORT std::string to_json(const GatewayView& gateway);

}  // namespace tandem
