// The parts of a switch and how they are wired; no telecom logic here.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/retention_clock.hpp"
#include "base/timer_wheel.hpp"
#include "call/retired_tables.hpp"
#include "call/worker.hpp"
#include "cdr/journal.hpp"
#include "cdr/ledger_sqlite.hpp"
#include "cdr/packages_sqlite.hpp"
#include "cdr/sink_runner.hpp"
#include "io/loop.hpp"
#include "notify/webhook.hpp"
#include "phone/registration_store_sqlite.hpp"
#include "phone/source_rates.hpp"
#include "sip/stack.hpp"
#include "switch/bookings.hpp"
#include "switch/callbacks.hpp"
#include "switch/corrections.hpp"
#include "switch/event_hub.hpp"
#include "switch/external_calls.hpp"
#include "switch/maintenance_desk.hpp"
#include "switch/name_keeper.hpp"
#include "switch/package_keeper.hpp"
#include "switch/past_rates.hpp"
#include "switch/past_records.hpp"
#include "switch/peer_reconciler.hpp"
#include "switch/provisioning.hpp"
#include "switch/rerate_jobs.hpp"
#include "switch/shadow.hpp"
#include "tandem/media_recorder.hpp"
#include "tandem/media_relay.hpp"
#include "tandem/switch.hpp"
#include "trace/recorder.hpp"

namespace tandem {

/// What a switch stands on. The simulated one makes a whole switch repeatable from a seed.
struct Environment {
  std::shared_ptr<io::Network> network;           ///< Outlives the switch.
  std::optional<std::uint64_t> seed;              ///< Nothing: unpredictable random numbers.
  std::shared_ptr<cdr::Disk> disk = nullptr;      ///< Of the journal; null: the system's files.
  std::shared_ptr<cdr::Ledger> ledger = nullptr;  ///< Null: the one at `database` is opened.
  std::shared_ptr<ProvisionStore> provision = nullptr;                ///< The same.
  std::shared_ptr<phone::RegistrationStore> registrations = nullptr;  ///< The same.
  std::shared_ptr<cdr::PackageStore> packages = nullptr;              ///< The same.
};

class Switch::Body final : public call::Host, public ProvisionHost {
 public:
  static Result<std::unique_ptr<Body>> create(const SwitchConfig& config, SwitchHooks hooks,
                                              Environment environment);
  ~Body() override;

  Result<void> start();
  void drain() noexcept;
  [[nodiscard]] std::size_t live_calls() const noexcept;
  Result<void> wait_idle(std::int64_t timeout_us);
  void close();
  Result<std::vector<std::string>> reload(const SwitchConfig& config);

  Result<EventFeed> watch(std::size_t queue_events) { return hub_->open(queue_events); }
  [[nodiscard]] std::vector<CallView> calls();
  Result<void> disconnect(std::uint64_t id);
  Result<void> record(std::uint64_t id, bool on);
  Result<void> order(std::uint64_t id, const ServiceOrder& what);
  void answer(std::uint64_t token, const PolicyAnswer& answer);
  void answer_lrn(std::uint64_t token, const LrnAnswer& answer);
  [[nodiscard]] std::vector<AccountState> accounts() const;
  [[nodiscard]] std::optional<AccountState> account(std::string_view id) const;
  [[nodiscard]] Provisioning& provisioning() noexcept { return *provisioning_; }
  Result<BookingAnswer> book(const Booking& booking);
  Result<std::vector<LedgerEntry>> ledger(const LedgerQuery& query) const;
  Result<LedgerCheck> check_ledger() const;
  Result<Rerater> rerate_history(const RerateQuery& query) const;
  Result<InterconnectTotals> interconnect_totals(const InterconnectQuery& query) const;
  Result<std::vector<InterconnectCall>> interconnect_calls(const InterconnectQuery& query) const;
  [[nodiscard]] std::vector<PeerCheck> peer_checks() const;
  [[nodiscard]] bool is_reconciliation_token(std::string_view gateway,
                                             std::string_view token) const;
  Result<ExternalAnswer> record_call(const ExternalCall& call);
  Result<Correction> correct(const CorrectionRequest& request);
  Result<std::vector<Correction>> corrections(const CorrectionQuery& query) const;
  Result<AppliedRerate> apply_rerate(const RerateQuery& query,
                                     const RerateApplication& application);
  Result<std::uint64_t> start_rerate(const RerateQuery& query,
                                     const RerateApplication& application);
  [[nodiscard]] Result<RerateJob> rerate_job(std::uint64_t id) const {
    return rerate_jobs_->find(id);
  }
  Result<void> cancel_rerate(std::uint64_t id) { return rerate_jobs_->cancel(id); }
  Result<std::vector<PackagePeriod>> packages(std::string_view account) const;
  Result<std::vector<PackagePeriod>> phone_packages(std::string_view number) const;
  [[nodiscard]] std::vector<GatewayView> gateways() const;
  [[nodiscard]] std::vector<PhoneView> phones() const;
  [[nodiscard]] std::optional<PhoneView> phone(std::string_view number) const;
  [[nodiscard]] std::vector<SuspensionView> suspensions() const;
  Result<void> lift_suspension(std::string_view user, std::string_view address);
  [[nodiscard]] WebhookState phone_notices() const { return phone_notices_->state(); }
  Result<std::size_t> notify_phones();
  [[nodiscard]] SwitchCounters counters() const;
  /// What questions to the records need of the configuration, so that a long one holds up no
  /// reload.
  SwitchConfig records_config() const;
  Result<std::vector<Cdr>> cdrs(const CdrQuery& query) const;
  [[nodiscard]] MaintenanceState maintenance() const { return maintenance_.state(); }
  Result<void> start_maintenance(MaintenanceAct act, std::string_view day);
  Result<std::vector<MaintenanceNote>> maintenance_notes(const MaintenanceNoteQuery& query) const;
  /// `is_over`: the dispute is resolved, else it begins.
  Result<Dispute> dispute(const DisputeRequest& request, bool is_over);
  Result<std::vector<Dispute>> disputes(const DisputeQuery& query) const;
  Result<std::string> explain(const ExplainRequest& request);
  Result<void> start_shadow(std::string_view plan);
  Result<std::string> shadow_report() const;
  Result<std::string> stop_shadow();
  [[nodiscard]] std::vector<ListenConfig> listening() const;
  Result<TraceView> start_trace(const TraceRequest& request);
  Result<TraceView> stop_trace(std::uint64_t id);
  Result<void> remove_trace(std::uint64_t id);
  [[nodiscard]] const trace::Recorder& trace_recorder() const noexcept { return *trace_recorder_; }

  // call::Host
  [[nodiscard]] bool wants_events() const noexcept override {
    return hooks_.on_event || hub_->has_feeds();
  }
  [[nodiscard]] bool wants_phones() const noexcept override {
    return wants_events() || phone_notices_->is_on();
  }
  void publish(Event event) noexcept override;
  [[nodiscard]] bool has_policy() const noexcept override {
    return static_cast<bool>(hooks_.on_policy);
  }
  void ask_policy(PolicyQuestion question) noexcept override {
    callbacks_->push(std::move(question));
  }
  [[nodiscard]] std::int64_t policy_deadline_us() const noexcept override {
    return hooks_.policy_deadline_us;
  }
  [[nodiscard]] const PolicyAnswer& policy_default() const noexcept override {
    return hooks_.policy_default;
  }
  [[nodiscard]] bool ask_lrn(LrnQuestion question) noexcept override {
    return hooks_.on_lrn && callbacks_->push(std::move(question));
  }
  void hasten_commit() noexcept override;
  [[nodiscard]] bool wants_shadow() const noexcept override {
    return has_shadow_.load(std::memory_order_relaxed);
  }
  void shadow(call::ShadowCall call) noexcept override;

  // ProvisionHost
  [[nodiscard]] SwitchConfig config_in_force() const override;
  [[nodiscard]] std::string account_currency(std::string_view account) const override;
  Result<void> install(SwitchConfig config, const std::function<Result<void>()>& commit) override;
  [[nodiscard]] std::int64_t wall_us() const override {
    return environment_.network->clock().wall_us();
  }

 private:
  /// A sink with what carries records to it.
  struct Sink {
    std::unique_ptr<cdr::SinkTarget> target;
    std::unique_ptr<cdr::SinkRunner> runner;
  };
  /// A worker with what it runs on. Destroyed from the bottom up.
  struct Seat {
    std::unique_ptr<Random> random;
    std::unique_ptr<io::Loop> loop;
    std::unique_ptr<call::Worker> worker;
  };

  Body(const SwitchConfig& config, SwitchHooks hooks, Environment environment);
  Result<void> open_journal();
  Result<void> open_provisioning();
  void tell_of_decks(const DeckReading& reading);
  void keep_deck_images();
  Result<void> open_records();
  Result<void> add_sink(std::string name, std::unique_ptr<cdr::SinkTarget> target,
                        std::int32_t set_aside_after);
  Result<void> close_crashed_calls();
  void compare_with_peers();
  [[nodiscard]] std::shared_ptr<const PastRates> past_rates() const;
  [[nodiscard]] Result<RecordPlace> check_rerate(const RerateQuery& query) const;
  Result<AppliedRerate> run_rerate(const RerateQuery& query, const RerateApplication& application,
                                   RerateProgress& progress);
  [[nodiscard]] Result<std::vector<Cdr>> corrected_records(
      const std::function<Result<std::vector<Cdr>>()>& read) const;
  Result<void> settle_corrections(const RerateProgress& progress);
  Result<void> load_packages();
  Result<void> load_balances();
  Result<void> open_registrations();
  void use_registrants(const call::Tables& tables);
  void store_registrations();
  [[nodiscard]] std::int64_t wall_minus_monotonic_us() const noexcept;
  [[nodiscard]] PhoneView view_of(const call::Phone& phone, const call::Tables& tables) const;
  [[nodiscard]] std::vector<ContactView> contacts_of(std::string_view registrant) const;
  [[nodiscard]] bool is_at_vendors() const;
  Result<void> open_workers();
  Result<void> open_media();
  Result<void> open_recorder();
  void deliver_media_events();
  Result<void> open_stack();
  void warn_of_certificate(const io::TlsContext* tls);
  Result<void> open_names();
  Result<void> open_notices();
  static Result<std::optional<notify::WebhookTarget>> open_notice_target(
      const SwitchConfig& config);
  [[nodiscard]] static std::vector<sip::Location> wanted_locations(
      const call::Tables& tables, const std::optional<WebhookConfig>& notices);
  void place_notices(const call::LocatedNames& located);
  void notice_phone(const Event& event);
  [[nodiscard]] std::optional<notify::Notice> notice_of_phone(const std::string& number) const;
  void place_dead_letters(const SwitchConfig& config);
  void keep_dead_letters();
  void judge_notices(
      const std::function<void(const std::string&, bool, const std::string&)>& judge);
  void publish_names();
  void give_workers(const std::shared_ptr<const call::Names>& names);
  void tell_of_places(const call::Tables& tables, const call::Names& before,
                      const call::Names& now);
  [[nodiscard]] std::shared_ptr<const call::Names> names() const;
  [[nodiscard]] call::LocatedNames located_names() const;
  void tell_of_names(const std::string& gateway, const std::string& addresses);
  void judge_names(const std::function<void(const std::string&, bool, const std::string&)>& judge);
  Result<void> open_shadow();
  Result<void> open_traces();
  void close_traces() noexcept;
  void tell_of_trace(std::uint64_t id, const std::string& what);
  void tell_of_ended_traces();
  Result<void> check_hooks() const;
  [[nodiscard]] std::unique_ptr<Random> make_random(std::uint64_t salt) const;
  [[nodiscard]] bool is_simulated() const noexcept { return environment_.network->is_simulated(); }
  void pump();
  void tell_workers_of_commit() noexcept;
  void judge_health();
  void judge_pending(const CdrSinkState& state);
  void build_tables_when_due();
  void activate_due_decks();
  void keep_days();
  [[nodiscard]] SwitchConfig retention_config() const;
  [[nodiscard]] std::optional<std::uint64_t> lowest_position() const;
  [[nodiscard]] Result<MaintenancePlace> maintenance_place() const;
  void tell_of_maintenance(const MaintenanceOutcome& outcome);
  void carry_ledger_forward();
  Result<void> carry_due_entries(std::int64_t kept_days);
  Result<void> prepare_accounts(SwitchConfig& config);
  Result<void> open_accounts(const SwitchConfig& config);
  void alarm(std::string text);
  [[nodiscard]] static std::vector<std::string> faults_of_voices(const call::Tables& tables);
  /// Puts a question to each worker on its loop and waits for the answers, 5 s at most. Defined in
  /// ask_workers.hpp.
  template <class Question>
  auto ask_workers(Question question)
      -> std::vector<std::invoke_result_t<Question&, call::Worker&>>;
  template <class Question>
  auto ask_worker_of(std::uint64_t id, Question question)
      -> std::vector<std::invoke_result_t<Question&, call::Worker&>>;
  template <class Question>
  auto ask_seats(std::size_t first, std::size_t count, Question question)
      -> std::vector<std::invoke_result_t<Question&, call::Worker&>>;
  void on_worker(std::size_t index, std::function<void(call::Worker&)> task);
  void wait_until(const std::function<bool()>& is_done, std::int64_t timeout_us);
  [[nodiscard]] std::uint64_t live_dialogs() const noexcept;
  [[nodiscard]] std::shared_ptr<const call::Tables> tables() const;
  [[nodiscard]] std::shared_ptr<Shadow> running_shadow() const;

  const SwitchHooks hooks_;
  const Environment environment_;
  Log log_;
  call::SharedState state_;
  Provisioning::Body* provisioning_body_ = nullptr;  // of the next
  std::optional<Provisioning> provisioning_;
  std::unique_ptr<cdr::Journal> journal_;
  std::shared_ptr<cdr::Ledger> ledger_;
  std::unique_ptr<cdr::SinkRunner> ledger_runner_;
  std::optional<Bookings>
      bookings_;  // from the moment at which the balances are those of the journal
  std::unique_ptr<Corrections> corrections_;       // the same
  std::unique_ptr<ExternalCalls> external_calls_;  // the same
  std::unique_ptr<RerateJobs> rerate_jobs_;        // over by the time that any of these goes
  std::shared_ptr<cdr::PackageStore> package_store_;
  std::unique_ptr<cdr::SinkRunner> package_runner_;
  std::optional<PackageKeeper> package_keeper_;     // with bookings_
  mutable std::mutex reconciler_mutex_;             // between close() and questions
  std::unique_ptr<PeerReconciler> reconciler_;      // after the loops, which it asks on
  std::unique_ptr<notify::Webhook> phone_notices_;  // of the first loop
  std::string dead_letter_failure_;                 // said before; of the thread that keeps them
  std::uint64_t notices_given_up_told_ = 0;         // of the first loop
  std::unique_ptr<Random> name_random_;
  std::unique_ptr<NameKeeper> name_keeper_;  // on the first loop
  std::atomic<bool> has_name_news_{false};
  std::vector<Sink> sinks_;
  std::shared_ptr<phone::RegistrationStore> registrations_;
  std::string registration_failure_;  // said before; of the thread that stores
  std::unique_ptr<phone::SourceRates> register_rates_;
  std::optional<MediaRelay> relay_;
  std::optional<MediaRecorder> recorder_;  // gone after the relay, whose sessions it completes
  std::unique_ptr<trace::Recorder> trace_recorder_;
  std::unique_ptr<call::Commons> commons_;
  std::vector<Seat> seats_;
  std::unique_ptr<Callbacks> callbacks_;
  const std::shared_ptr<EventHub> hub_ = std::make_shared<EventHub>();
  std::unique_ptr<sip::StackGroup> stack_;
  bool is_commit_due_ = false;  // simulations only: a commit is deferred
  std::unique_ptr<Timer> watch_timer_;
  std::vector<std::string> alarms_of_last_run_;          // raised once there is somebody to tell
  std::map<std::string, bool> alarms_;                   // by what is watched: whether it is raised
  std::map<std::string, std::uint64_t> set_aside_told_;  // by sink: records that were told of
  std::unique_ptr<Timer> pump_timer_;  // simulations only: what threads do otherwise

  // Freed by builder_, so that no worker does it.
  const std::shared_ptr<call::RetiredTables> retired_tables_ =
      std::make_shared<call::RetiredTables>();
  mutable std::mutex config_mutex_;  // guards the six below; never taken on the call path
  std::string dead_letters_path_;    // of phone notices; "": they are not kept
  SwitchConfig config_;              // changed under provisioning_body_->exclusive() only
  std::set<std::string, std::less<>> account_ids_;  // of config_
  std::shared_ptr<const call::Tables> tables_;
  std::shared_ptr<const call::Names> names_;             // of tables_
  mutable std::shared_ptr<const PastRates> past_rates_;  // of config_; null: not yet asked for

  std::atomic<bool> has_shadow_{false};
  std::mutex shadow_start_mutex_;    // held while one starts, so that no second one does
  mutable std::mutex shadow_mutex_;  // guards the next; held for a moment only
  std::shared_ptr<Shadow> shadow_;   // null: none runs

  std::mutex builder_mutex_;  // guards is_builder_over_
  std::condition_variable builder_wakes_;
  bool is_builder_over_ = false;
  std::thread builder_;  // makes planned versions of decks active
  // Of builder_, or of the simulation's thread, as the next four.
  std::string activation_failure_, carry_failure_;  // said before
  std::int64_t carried_at_us_ = 0;                  // monotonic
  int carry_io_failures_ = 0;                       // in a row
  std::optional<RetentionClock> retention_clock_;   // nothing: no retention was ever due
  std::int64_t retention_kept_us_ = 0;              // of it, in the ledger

  std::string maintenance_failure_;   // said before; of builder_, as the next
  std::int64_t days_kept_at_us_ = 0;  // monotonic
  MaintenanceDesk maintenance_;

  enum class Life : std::uint8_t { created, running, closed };
  std::atomic<Life> life_ = Life::created;
  mutable std::mutex workers_mutex_;  // keeps workers and stack while another thread reaches them
  std::mutex close_mutex_;  // held while closing, so that a second close() returns after the first
};

/// Reaches what the public class hides; for lib/sim and lib/admin.
class SwitchAccess {
 public:
  static Result<std::unique_ptr<Switch>> create(const SwitchConfig& config, SwitchHooks hooks,
                                                Environment environment);
};

}  // namespace tandem
