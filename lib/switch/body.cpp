#include "switch/body.hpp"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <set>

#include "base/thread.hpp"
#include "call/billing_record.hpp"
#include "cdr/cdr_sqlite.hpp"
#include "cdr/csv_sink.hpp"
#include "cdr/files_sink.hpp"
#include "cdr/slot_sums_sqlite.hpp"
#include "media/recorder.hpp"
#include "media/relay.hpp"
#include "remote/push_sink.hpp"
#include "remote/sql_factories.hpp"
#include "switch/config_check.hpp"
#include "switch/explain.hpp"
#include "switch/name_views.hpp"
#include "switch/provision_kinds_json.hpp"
#include "switch/tls_files.hpp"
#include "tandem/version.h"

namespace tandem {

namespace {

constexpr std::int64_t ms_us = 1'000;
constexpr std::int64_t second_us = 1'000'000;
constexpr unsigned media_events_max = 4'096;  // of a shard, between two turns of the first loop
constexpr std::int64_t pump_period_us = 100'000;
constexpr std::int64_t sink_drain_ms = 5'000;
constexpr std::int64_t catch_up_durable_ms = 5'000;
constexpr std::chrono::seconds question_wait{5};  // longest for the answers of all workers
constexpr std::int64_t farewell_us =
    second_us;  // for BYEs and their answers when the switch closes
constexpr std::size_t workers_max = 64;
constexpr std::int64_t day_us = 86'400 * second_us;
constexpr std::int64_t retention_kept_each_us = 3'600'000'000;
constexpr int carry_io_failures_told = 10;  // in a row, a second between two
constexpr std::int64_t maintenance_tick_us = 10 * second_us;
constexpr std::size_t carried_entries_max = 2'000;      // at a time, which takes some milliseconds
constexpr std::int64_t first_names_us = 3 * second_us;  // longest that a start waits for them
constexpr std::uint64_t registration_salt = 2'000;      // beyond those of workers and shadow

/// A host's sink, which the host keeps too.
class SharedSink final : public CdrSink {
 public:
  explicit SharedSink(std::shared_ptr<CdrSink> sink) : sink_(std::move(sink)) {}
  Result<void> write(const Cdr& cdr) override { return sink_->write(cdr); }
  Result<void> flush() override { return sink_->flush(); }

 private:
  std::shared_ptr<CdrSink> sink_;
};

Result<std::unique_ptr<cdr::SinkTarget>> open_sink(const CdrSinkConfig& config,
                                                   const SwitchConfig& of_switch,
                                                   const std::shared_ptr<cdr::Disk>& disk,
                                                   const Clock& clock) {
  const std::string path = of_switch.path(config.path);
  if (config.type == "sqlite") {
    auto sink = cdr::SqliteSink::open(path);
    if (!sink) return sink.error();
    return std::unique_ptr<cdr::SinkTarget>(std::move(*sink));
  }
  if (config.type == "slots") {
    auto sink = cdr::SlotSink::open(path, of_switch.parameters.timezone, clock);
    if (!sink) return sink.error();
    return std::unique_ptr<cdr::SinkTarget>(std::move(*sink));
  }
  if (config.type == "http") {
    CdrPushConfig push = config.push;
    push.folder = path;
    for (std::string* file : {&push.tls_ca, &push.tls_certificate, &push.tls_key}) {
      if (!file->empty()) *file = of_switch.path(*file);
    }
    auto sink =
        remote::PushSink::open(std::move(push), disk, clock, remote::make_tcp_dialer(clock));
    if (!sink) return sink.error();
    return std::unique_ptr<cdr::SinkTarget>(std::move(*sink));
  }
  if (config.type == "postgresql" || config.type == "mariadb") {
    CdrSqlConfig sql = config.sql;
    sql.folder = path;
    auto sink = remote::open_sql_sink(
        config.type == "mariadb" ? remote::SqlServer::mariadb : remote::SqlServer::postgresql,
        std::move(sql), disk, clock);
    if (!sink) return sink.error();
    return std::unique_ptr<cdr::SinkTarget>(std::move(*sink));
  }
  const CsvLayout layout = config.format == "vos" ? CsvLayout::pipe : CsvLayout::csv;
  if (config.type == "files") {
    CdrFilesConfig files;
    files.folder = path;
    files.layout = layout;
    files.header = config.header;
    files.unanswered = config.unanswered;
    files.interval_s = config.interval_s;
    files.records_max = static_cast<std::uint32_t>(config.records_max);
    files.files_max = static_cast<std::uint32_t>(config.files_max);
    auto sink = cdr::FilesSink::open(std::move(files), disk);
    if (!sink) return sink.error();
    return std::unique_ptr<cdr::SinkTarget>(std::move(*sink));
  }
  CsvSinkConfig csv;
  csv.path = path;
  csv.layout = layout;
  csv.hourly = true;
  csv.header = config.header;
  csv.unanswered = config.unanswered;
  auto sink = cdr::CsvSink::open(csv, disk);
  if (!sink) return sink.error();
  return std::unique_ptr<cdr::SinkTarget>(std::move(*sink));
}

std::set<std::string, std::less<>> ids_of(const std::vector<AccountConfig>& accounts) {
  std::set<std::string, std::less<>> ids;
  for (const AccountConfig& account : accounts)
    ids.insert(account.id);
  return ids;
}

HandshakeLimits handshake_limits(const SwitchConfig& config) {
  return config.sip_tls ? config.sip_tls->handshakes : HandshakeLimits{};
}

bool same_listeners(const std::vector<ListenConfig>& a, const std::vector<ListenConfig>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const ListenConfig& x, const ListenConfig& y) {
                      return x.transport == y.transport && x.address == y.address &&
                             x.client_certificate == y.client_certificate && x.origins == y.origins;
                    });
}

}  // namespace

// --- creation ---

Switch::Body::Body(const SwitchConfig& config, SwitchHooks hooks, Environment environment)
    : hooks_(std::move(hooks)),
      environment_(std::move(environment)),
      log_(environment_.network->clock(), hooks_.log, hooks_.log_level),
      config_(config),
      maintenance_(
          environment_.network->clock(),
          [this](const MaintenanceOutcome& outcome) { tell_of_maintenance(outcome); },
          !environment_.network->is_simulated()) {
  if (is_simulated()) retired_tables_->close();  // one thread does everything
}

Result<std::unique_ptr<Switch::Body>> Switch::Body::create(const SwitchConfig& config,
                                                           SwitchHooks hooks,
                                                           Environment environment) {
  std::vector<ConfigError> errors;
  check_config(config, errors);
  if (config.sip_listen.empty())
    errors.push_back({"/sip/listen", "at least one listener is needed"});
  if (config.sip_workers < 1 || config.sip_workers > static_cast<int>(workers_max)) {
    errors.push_back({"/sip/workers", std::to_string(config.sip_workers) + " is not in 1..64"});
  }
  if (!errors.empty()) {
    return Error{ErrorCode::invalid_argument,
                 errors.front().pointer + ": " + errors.front().message};
  }
  std::unique_ptr<Body> body(new Body(config, std::move(hooks), std::move(environment)));
  if (auto checked = body->check_hooks(); !checked) return checked.error();
  for (auto step : {&Body::open_journal, &Body::open_provisioning, &Body::open_records,
                    &Body::open_registrations, &Body::open_workers, &Body::open_media,
                    &Body::open_stack, &Body::open_names, &Body::open_traces, &Body::open_shadow}) {
    if (auto done = (body.get()->*step)(); !done) return done.error();
  }
  return body;
}

Result<void> Switch::Body::check_hooks() const {
  if (hooks_.policy_deadline_us < 1'000 || hooks_.policy_deadline_us > 10 * second_us) {
    return Error{ErrorCode::invalid_argument, "policy deadline of " +
                                                  std::to_string(hooks_.policy_deadline_us) +
                                                  " us is not in 1 ms..10 s"};
  }
  if (hooks_.event_queue_max == 0)
    return Error{ErrorCode::invalid_argument, "event queue has no room"};
  return {};
}

std::unique_ptr<Random> Switch::Body::make_random(std::uint64_t salt) const {
  if (!environment_.seed) return std::make_unique<SecureRandom>();
  return std::make_unique<SeededRandom>(*environment_.seed * 1000003 + salt);
}

Result<void> Switch::Body::add_sink(std::string name, std::unique_ptr<cdr::SinkTarget> target,
                                    std::int32_t set_aside_after) {
  cdr::SinkRunnerOptions options;
  options.name = std::move(name);
  options.set_aside_after = static_cast<std::uint32_t>(set_aside_after);
  options.disk =
      environment_.disk != nullptr ? environment_.disk : std::make_shared<cdr::PosixDisk>();
  options.folder = config_.path(config_.cdr_journal);
  auto runner =
      cdr::SinkRunner::create(options, *journal_, *target, environment_.network->clock(), &log_);
  if (!runner) return runner.error();
  sinks_.push_back({std::move(target), std::move(*runner)});
  return {};
}

/// Before all else, because its lock says that no other switch runs on the same files.
Result<void> Switch::Body::open_journal() {
  cdr::JournalOptions options;
  options.folder = config_.path(config_.cdr_journal);
  options.threads = !is_simulated();
  options.disk = environment_.disk;
  auto journal = cdr::Journal::open(options, environment_.network->clock(), &log_);
  if (!journal) return journal.error();
  journal_ = std::move(*journal);
  return {};
}

/// Stored objects under those of the configuration.
Result<void> Switch::Body::open_provisioning() {
  std::shared_ptr<ProvisionStore> store = environment_.provision;
  if (store == nullptr) {
    auto opened = ProvisionStore::open(config_.path(config_.database));
    if (!opened) return opened.error();
    store = std::move(*opened);
  }
  std::unique_ptr<DeckImages> images;
  if (environment_.provision == nullptr)  // a store of the host has no folder
    images = DeckImages::beside_database(config_, std::make_shared<cdr::PosixDisk>());
  auto source =
      std::make_shared<DeckSource>(store, std::move(images), environment_.network->clock());
  auto beginning = begin_with_stored(*source, config_, wall_us());
  if (!beginning) return beginning.error();
  if (auto written = store->write(beginning->batch); !written) return written;
  tell_of_decks(source->reading());
  config_ = std::move(beginning->config);
  account_ids_ = ids_of(config_.provision.accounts);
  auto provisioning = std::make_unique<Provisioning::Body>(*this, std::move(source));
  provisioning_body_ = provisioning.get();
  provisioning_.emplace(std::move(provisioning));
  return {};
}

void Switch::Body::tell_of_decks(const DeckReading& reading) {
  for (const std::string& refusal : reading.refusals)
    log_.write(LogLevel::warning, "switch", "an image of a rate deck was not taken",
               {{"reason", refusal}});
  if (reading.from_images + reading.from_texts == 0) return;
  log_.write(LogLevel::info, "switch", "stored rate decks were read",
             {{"from_images", std::to_string(reading.from_images)},
              {"images_ms", std::to_string(reading.images_us / 1'000)},
              {"from_texts", std::to_string(reading.from_texts)},
              {"texts_ms", std::to_string(reading.texts_us / 1'000)}});
}

/// Ledger and sinks; then what a crash left open is closed, and balances are those of the
/// journal.
Result<void> Switch::Body::open_records() {
  ledger_ = environment_.ledger;
  if (ledger_ == nullptr) {
    auto ledger = cdr::Ledger::open(config_.path(config_.database));
    if (!ledger) return ledger.error();
    ledger_ = std::move(*ledger);
  }
  cdr::SinkRunnerOptions ledger_options;
  ledger_options.name = "ledger";
  auto runner = cdr::SinkRunner::create(ledger_options, *journal_, *ledger_,
                                        environment_.network->clock(), &log_);
  if (!runner) return runner.error();
  ledger_runner_ = std::move(*runner);

  package_store_ = environment_.packages;
  if (package_store_ == nullptr) {
    auto store = cdr::PackageStore::open(config_.path(config_.database));
    if (!store) return store.error();
    package_store_ = std::move(*store);
  }
  cdr::SinkRunnerOptions package_options;
  package_options.name = "packages";
  auto package_runner = cdr::SinkRunner::create(package_options, *journal_, *package_store_,
                                                environment_.network->clock(), &log_);
  if (!package_runner) return package_runner.error();
  package_runner_ = std::move(*package_runner);

  const auto disk =
      environment_.disk != nullptr ? environment_.disk : std::make_shared<cdr::PosixDisk>();
  int index = 0;
  for (const CdrSinkConfig& sink : config_.cdr_sinks) {
    auto target = open_sink(sink, config_, disk, environment_.network->clock());
    if (!target) return target.error();
    if (auto added = add_sink(sink.type + "-" + std::to_string(index++), std::move(*target),
                              sink.set_aside_after);
        !added)
      return added;
  }
  // The names of the host's sinks stand for their places in the journal, so they do not depend on
  // what the configuration lists. Where they still do, the place is taken over.
  for (std::size_t i = 0; i < hooks_.cdr_sinks.size(); ++i) {
    const std::string name = "host-sink-" + std::to_string(i);
    const std::string former_name = "host-" + std::to_string(config_.cdr_sinks.size() + i);
    auto target =
        cdr::make_host_target(disk, config_.path(config_.cdr_journal), name,
                              std::make_unique<SharedSink>(hooks_.cdr_sinks[i]), former_name);
    if (auto added = add_sink(name, std::move(target), 0); !added) return added;
  }

  journal_->on_durable([this](std::uint64_t) { tell_workers_of_commit(); });
  if (auto started = journal_->start(); !started) return started;
  if (auto closed = close_crashed_calls(); !closed) return closed;
  if (auto loaded = load_packages(); !loaded) return loaded;
  auto tables = call::build_tables(config_, state_, nullptr);
  if (!tables) return tables.error();
  tables_ = retired_tables_->watch(std::move(*tables));
  return load_balances();
}

Result<void> Switch::Body::close_crashed_calls() {
  const cdr::Recovery& recovery = journal_->recovery();
  for (const cdr::OpenCall& open : recovery.open_calls) {
    std::string unread_loan;
    auto record = call::close_after_crash(open, &unread_loan);
    if (!record) {
      return Error{record.error().code, "call \"" + open.answer.cdr.call_id +
                                            "\" of the last run: " + record.error().message};
    }
    if (auto appended = journal_->append(cdr::RecordType::end, cdr::encode(*record)); !appended) {
      return appended.error();
    }
    if (!unread_loan.empty()) {
      alarms_of_last_run_.push_back(
          "call \"" + open.answer.cdr.call_id +
          "\" of the last run was billed without packages: " + unread_loan);
    }
  }
  if (!recovery.open_calls.empty()) {
    log_.write(LogLevel::warning, "switch", "calls of the last run were closed",
               {{"calls", std::to_string(recovery.open_calls.size())}});
  }
  return {};
}

/// Before the tables, whose payers know their packages.
Result<void> Switch::Body::load_packages() {
  if (auto provisioned = call::provision_packages(config_, state_.packages); !provisioned)
    return provisioned;
  if (const std::uint64_t last = journal_->last_sequence(); last != 0) {
    if (auto durable = journal_->wait_durable(last, catch_up_durable_ms); !durable) return durable;
    if (auto caught_up = package_runner_->catch_up(last); !caught_up) return caught_up;
  }
  auto kept = package_store_->orders();
  if (!kept) return kept.error();
  for (const cdr::PackageStore::Kept& order : *kept) {
    auto change = parse_package_change(order.change);
    if (!change) return change.error();
    if (auto restored = state_.packages.restore(*change, order.used); !restored) return restored;
  }
  return {};
}

Result<void> Switch::Body::load_balances() {
  for (const AccountConfig& account : config_.provision.accounts) {
    if (auto made = ledger_->create_account_if_absent(account.id, account.balance, wall_us());
        !made)
      return made.error();
  }
  if (journal_->last_sequence() != 0) {
    if (auto durable = journal_->wait_durable(journal_->last_sequence(), catch_up_durable_ms);
        !durable)
      return durable;
    if (auto caught_up = ledger_runner_->catch_up(journal_->last_sequence()); !caught_up)
      return caught_up;
  }
  auto balances = ledger_->balances();
  if (!balances) return balances.error();
  for (const auto& [id, balance] : *balances) {
    if (!state_.accounts.find(id))
      continue;  // of an account that the configuration no longer names
    if (auto restored = state_.accounts.restore(id, balance); !restored) return restored;
  }
  // Windows that ended a little ago too, for a clock that is set back.
  auto limit_uses = ledger_->limit_uses(wall_us() - 7200 * second_us);
  if (!limit_uses) return limit_uses.error();
  for (const LimitUse& use : *limit_uses) {
    if (auto restored = state_.accounts.restore_limit(use); !restored) return restored;
  }
  bookings_.emplace(state_.accounts, *journal_, *ledger_, *ledger_runner_,
                    environment_.network->clock());
  external_calls_ =
      std::make_unique<ExternalCalls>(state_.accounts, *journal_, *ledger_, *ledger_runner_);
  corrections_ = std::make_unique<Corrections>(state_.accounts, *journal_, *ledger_,
                                               *ledger_runner_, environment_.network->clock());
  rerate_jobs_ = std::make_unique<RerateJobs>(
      [this](const RerateQuery& query, const RerateApplication& application,
             RerateProgress& progress) { return run_rerate(query, application, progress); },
      environment_.network->clock(), !is_simulated());
  package_keeper_.emplace(state_.packages, *bookings_, *journal_, log_,
                          [this](std::string text) { alarm(std::move(text)); });
  return {};
}

/// Phones that an earlier run had on line still are.
Result<void> Switch::Body::open_registrations() {
  register_rates_ = std::make_unique<phone::SourceRates>(make_random(registration_salt)->next());
  registrations_ = environment_.registrations;
  if (registrations_ == nullptr) {
    auto opened = phone::RegistrationStore::open(config_.path(config_.database));
    if (!opened) return opened.error();
    registrations_ = std::move(*opened);
  }
  auto stored = registrations_->load();
  if (!stored) return stored.error();
  const std::int64_t now_us = environment_.network->clock().monotonic_us();
  for (phone::StoredRegistration& one : *stored) {
    phone::RegistrationRules rules;
    rules.finds_by_source = !one.id.starts_with(phone_id_prefix);
    state_.registrar.restore(std::move(one), rules, wall_minus_monotonic_us(), now_us);
  }
  use_registrants(*tables_);
  return {};
}

/// Whoever may not register any more is not on line any more.
void Switch::Body::use_registrants(const call::Tables& tables) {
  const Parameters& p = tables.parameters;
  register_rates_->set(!tables.registrants.empty(),
                       {p.register_per_source, p.register_burst, p.register_total});
  std::set<std::string_view> ids;
  for (const auto& [user, registrant] : tables.registrants)
    ids.insert(registrant.id);
  state_.registrar.keep_only([&ids](std::string_view id) { return ids.contains(id); });
}

std::int64_t Switch::Body::wall_minus_monotonic_us() const noexcept {
  const Clock& clock = environment_.network->clock();
  return clock.wall_us() - clock.monotonic_us();
}

/// On the builder's thread; in a simulation on the world's.
void Switch::Body::store_registrations() {
  constexpr std::size_t batch = 4096;
  if (registrations_ == nullptr) return;
  while (state_.registrar.has_changes()) {
    const auto changes = state_.registrar.take_changes(wall_minus_monotonic_us(), batch);
    auto written = registrations_->write(changes);
    std::string failure = written ? std::string() : written.error().message;
    const bool is_news = failure != registration_failure_;
    registration_failure_ = std::move(failure);
    if (written) continue;
    for (const phone::StoredRegistration& change : changes)
      state_.registrar.keep_change(change.id);
    if (is_news) alarm("registrations are not stored: " + registration_failure_);
    return;
  }
}

/// Whether some vendor still takes the switch for registered.
bool Switch::Body::is_at_vendors() const {
  const auto snapshot = tables();
  return std::any_of(snapshot->vendors.begin(), snapshot->vendors.end(), [](const auto& vendor) {
    return vendor.uplink != nullptr && vendor.uplink->is_registered.load();
  });
}

Result<void> Switch::Body::open_workers() {
  trace_recorder_ = std::make_unique<trace::Recorder>(environment_.network->clock(), config_.trace,
                                                      static_cast<unsigned>(config_.sip_workers));
  commons_ = std::make_unique<call::Commons>(state_, *journal_, log_, *this);
  commons_->trace_recorder = trace_recorder_.get();
  for (unsigned i = 0; i < static_cast<unsigned>(config_.sip_workers); ++i) {
    Seat seat;
    seat.random = make_random(i);
    auto loop = environment_.network->create_loop("worker-" + std::to_string(i));
    if (!loop) return loop.error();
    seat.loop = std::move(*loop);
    seat.worker = std::make_unique<call::Worker>(i, *seat.loop, *seat.random, *commons_, tables_);
    commons_->workers.push_back(seat.worker.get());
    seats_.push_back(std::move(seat));
  }
  io::Loop& first = *seats_.front().loop;
  reconciler_ = std::make_unique<PeerReconciler>(
      first, [this](const InterconnectQuery& query) { return interconnect_totals(query); },
      [this](std::string text) { alarm(std::move(text)); });
  callbacks_ = std::make_unique<Callbacks>(hooks_, is_simulated() ? &first : nullptr, log_);
  for (std::string& text : std::exchange(alarms_of_last_run_, {}))
    alarm(std::move(text));
  watch_timer_ = std::make_unique<Timer>(Timer::member<&Body::judge_health, Body>(), this);
  first.timers().start(*watch_timer_, second_us);
  if (is_simulated()) {
    pump_timer_ = std::make_unique<Timer>(Timer::member<&Body::pump, Body>(), this);
    first.timers().start(*pump_timer_, pump_period_us);
  }
  return {};
}

Result<void> Switch::Body::open_media() {
  IpAddress address = config_.media_address;
  if (address.family == IpAddress::Family::none) address = config_.sip_listen.front().address.ip;
  if (address.is_unspecified()) {
    return Error{ErrorCode::invalid_argument,
                 "/media/address: needed because the first listener, " +
                     config_.sip_listen.front().address.to_string() + ", names no address"};
  }
  MediaConfig media;
  (address.is_ipv6() ? media.address6 : media.address) = address;
  if (config_.media_address6) media.address6 = *config_.media_address6;
  media.port_first = config_.media_port_low;
  media.port_last = config_.media_port_high;
  media.shards = static_cast<unsigned>(config_.media_shards);
  media.nice = config_.media_nice;
  media.tos = static_cast<std::uint8_t>(config_.parameters.media_tos);
  const unsigned pairs = (media.port_last - media.port_first + 1U) / 2U;
  media.ready_pairs = std::clamp(pairs, 2U, media.ready_pairs);
  media.events_max = media_events_max;
  io::Loop* const first = seats_.front().loop.get();
  // On a relay thread, which waits for nobody. What a full loop does not take, the next second
  // does.
  media.on_events = [this, first] { (void)first->post([this] { deliver_media_events(); }); };
  auto relay = is_simulated() ? media::make_loop_relay(media, *seats_.front().loop)
                              : MediaRelay::create(media);
  if (!relay) return relay.error();
  relay_.emplace(std::move(*relay));
  commons_->relay = &*relay_;
  return open_recorder();
}

Result<void> Switch::Body::open_recorder() {
  if (!config_.recording) return {};
  const RecordingConfig& from = *config_.recording;
  constexpr std::uint64_t megabyte = 1U << 20;
  RecorderConfig recording;
  recording.folder = config_.path(from.folder);
  recording.file_bytes_max = static_cast<std::uint64_t>(from.file_megabytes_max) * megabyte;
  recording.free_bytes_min = static_cast<std::uint64_t>(from.free_megabytes_min) * megabyte;
  recording.recordings_max = static_cast<unsigned>(from.calls_max);
  recording.on_failure = [this](const std::string& name, const Error& error) {
    log_.write(LogLevel::error, "media", "a recording ended early",
               {{"recording", name}, {"error", error.message}});
  };
  auto recorder = is_simulated() ? media::make_loop_recorder(recording, *seats_.front().loop)
                                 : MediaRecorder::create(recording);
  if (!recorder)
    return Error{recorder.error().code, "/recording/folder: " + recorder.error().message};
  recorder_.emplace(std::move(*recorder));
  commons_->recorder = &*recorder_;
  commons_->recording_name = from.name;
  return {};
}

/// On the first loop: to the workers of the calls that they are about.
void Switch::Body::deliver_media_events() {
  for (const MediaEvent& event : relay_->take_events(media_events_max)) {
    if (event.kind != MediaEvent::Kind::digit && event.kind != MediaEvent::Kind::loss_began)
      continue;
    const std::size_t index = event.tag >> call::call_id_worker_shift;
    if (index >= seats_.size()) continue;
    call::Worker* const worker = seats_[index].worker.get();
    (void)seats_[index].loop->post([worker, event] { worker->on_media(event); });
  }
}

Result<void> Switch::Body::open_stack() {
  std::vector<io::Loop*> loops;
  std::vector<InboundCalls*> inbound;
  std::vector<Random*> randoms;
  for (const Seat& seat : seats_) {
    loops.push_back(seat.loop.get());
    inbound.push_back(seat.worker.get());
    randoms.push_back(seat.random.get());
  }
  sip::StackConfig sip;
  sip.product = config_.sip_product.value_or("tandem " TANDEM_VERSION_STRING);
  sip.tos = config_.parameters.sip_tos;
  sip.t1_us = config_.parameters.sip_t1_ms * ms_us;
  sip.t2_us = config_.parameters.sip_t2_ms * ms_us;
  sip.t4_us = config_.parameters.sip_t4_ms * ms_us;
  for (const std::int32_t wait_ms : config_.parameters.sip_resend_ms)
    sip.resend_us.push_back(wait_ms * ms_us);
  sip.offers_sha256 = config_.parameters.auth_sha256;
  sip.register_gate = register_rates_.get();
  sip.recorder = trace_recorder_.get();
  auto tls = open_tls(config_);
  if (!tls) return tls.error();
  warn_of_certificate(tls->get());
  sip.tls = std::move(*tls);
  sip.handshakes = handshake_limits(config_);
  sip.peer_connections_max = static_cast<std::size_t>(config_.sip_connections_per_peer);
  sip.expects_peer = [this](const SocketAddress& peer) {
    std::shared_ptr<const call::Tables> known;
    std::shared_ptr<const call::Names> known_names;
    {
      const std::lock_guard lock(config_mutex_);
      known = tables_;
      known_names = names_;
    }
    return known != nullptr &&
           call::sources_of(*known, known_names.get()).identify(peer, {}, {}).outcome !=
               SourceMatch::Outcome::unknown;
  };
  for (const ListenConfig& listen : config_.sip_listen) {
    sip.listen.push_back(
        {listen.transport, listen.address, {}, listen.client_certificate, listen.origins});
  }
  auto stack = sip::StackGroup::create(sip, loops, inbound, randoms, log_);
  if (!stack) return stack.error();
  stack_ = std::move(*stack);
  stack_->set_publish(config_.parameters.publish_expires_s);
  for (unsigned i = 0; i < seats_.size(); ++i)
    seats_[i].worker->set_legs(stack_->legs(i));
  return {};
}

/// A certificate that is over is used all the same: peers may look away, and without it they
/// cannot even try.
void Switch::Body::warn_of_certificate(const io::TlsContext* tls) {
  constexpr std::int64_t notice_us = 14 * 86'400 * second_us;
  if (tls == nullptr || tls->certificate_ends_at_s() == 0) return;
  const std::int64_t left_us = tls->certificate_ends_at_s() * second_us - wall_us();
  if (left_us > notice_us) return;
  log_.write(LogLevel::warning, "switch", "the TLS certificate is over or will be soon",
             {{"days_left", std::to_string(left_us / (86'400 * second_us))}});
}

Result<void> Switch::Body::open_shadow() {
  if (config_.shadow.empty()) return {};
  auto started = start_shadow(config_.shadow);
  if (started) return {};
  const std::string& message = started.error().message;  // may begin with a pointer into the plan
  return Error{started.error().code,
               "/shadow" + std::string(message.starts_with('/') ? "" : ": ") + message};
}

// --- life ---

Switch::Body::~Body() { close(); }

Result<void> Switch::Body::start() {
  Life expected = Life::created;
  if (!life_.compare_exchange_strong(expected, Life::running)) {
    return Error{ErrorCode::wrong_state, "switch was started or closed before"};
  }
  if (!is_simulated()) {
    ledger_runner_->start_thread();
    package_runner_->start_thread();
    for (Sink& sink : sinks_)
      sink.runner->start_thread();
  }
  package_keeper_->advance(wall_us());  // no call may use what ended while the switch was down
  for (Seat& seat : seats_)
    seat.loop->start();
  if (!is_simulated()) {  // calls that come at once find what names stand for
    name_keeper_->wait_until_known(first_names_us);
    publish_names();
  }
  if (!is_simulated())
    builder_ = start_thread("tandem-builder", [this] { build_tables_when_due(); });
  return {};
}

void Switch::Body::build_tables_when_due() {
  std::unique_lock lock(builder_mutex_);
  for (;;) {
    builder_wakes_.wait_for(lock, std::chrono::microseconds(second_us),
                            [this] { return is_builder_over_ || has_name_news_.load(); });
    if (is_builder_over_) return;
    lock.unlock();
    if (has_name_news_.exchange(false)) publish_names();
    activate_due_decks();
    keep_deck_images();
    store_registrations();
    carry_ledger_forward();
    keep_days();
    {
      // Not while a change is in the making, which may yet be refused.
      const auto change = provisioning_body_->exclusive();
      package_keeper_->advance(wall_us());
    }
    compare_with_peers();
    retired_tables_->free_all();
    lock.lock();
  }
}

void Switch::Body::activate_due_decks() {
  auto done = provisioning_body_->activate_due();
  std::string failure = done ? std::string() : done.error().message;
  if (!failure.empty() && failure != activation_failure_) alarm(failure);  // it is tried again
  activation_failure_ = std::move(failure);
}

/// An image saves time at the next start and nothing else: without it all is as it was before.
void Switch::Body::keep_deck_images() {
  if (auto kept = provisioning_body_->keep_images(); !kept)
    log_.write(LogLevel::warning, "switch", "an image of a rate deck was not written",
               {{"reason", kept.error().message}});
}

void Switch::Body::carry_ledger_forward() {
  const std::int64_t now_us = environment_.network->clock().monotonic_us();
  if (now_us - carried_at_us_ < second_us) return;
  carried_at_us_ = now_us;
  std::int64_t kept_days = 0;
  {
    const std::lock_guard lock(config_mutex_);
    kept_days = config_.parameters.ledger_retention_days;
  }
  if (kept_days == 0) return;
  const auto carried = carry_due_entries(kept_days);
  // The file may be another writer's for a moment: the next second comes soon enough.
  const bool is_io = !carried && carried.error().code == ErrorCode::io;
  carry_io_failures_ = is_io ? carry_io_failures_ + 1 : 0;
  if (is_io && carry_io_failures_ < carry_io_failures_told) return;
  std::string failure = carried ? std::string() : carried.error().message;
  if (!failure.empty() && failure != carry_failure_) alarm(failure);  // it is tried again
  carry_failure_ = std::move(failure);
}

/// A part of what is due: the ledger answers questions and takes records in between. Errors: what
/// an alarm is raised for.
Result<void> Switch::Body::carry_due_entries(std::int64_t kept_days) {
  const std::int64_t now_us = wall_us();
  const std::int64_t monotonic_us = environment_.network->clock().monotonic_us();
  if (!retention_clock_) {
    auto known = ledger_->retention_time_us(now_us);
    if (!known) return std::move(known).error();
    retention_clock_.emplace(*known, monotonic_us);
    retention_kept_us_ = 0;  // so that it is kept at once
  }
  const std::int64_t judged_us = retention_clock_->advance(now_us, monotonic_us);
  if (retention_clock_->known_us() - retention_kept_us_ >= retention_kept_each_us) {
    if (auto kept = ledger_->keep_retention_time(retention_clock_->known_us()); !kept) return kept;
    retention_kept_us_ = retention_clock_->known_us();
  }
  const auto carried = ledger_->carry_forward(judged_us - kept_days * day_us, carried_entries_max);
  if (!carried) return carried.error();
  if (*carried == 0) {
    const auto oldest = ledger_->oldest_entry_us();
    if (!oldest) return oldest.error();
    if (*oldest && **oldest > now_us + day_us)
      return Error{ErrorCode::wrong_state,
                   "oldest entry of the ledger is of " + format_time_us(**oldest) +
                       ", ahead of the clock: nothing behind it is carried forward before then"};
  }
  if (now_us > retention_clock_->known_us() + day_us)
    return Error{ErrorCode::wrong_state,
                 "clock is more than a day ahead of the time that the ledger was last carried "
                 "forward by: a day of entries is due each hour until it is made up for"};
  return {};
}

/// In a simulation: what the writer and the sink threads do otherwise.
void Switch::Body::pump() {
  seats_.front().loop->timers().start(*pump_timer_, pump_period_us);
  journal_->pump();
  ledger_runner_->pump();
  package_runner_->pump();
  for (Sink& sink : sinks_)
    sink.runner->pump();
  if (has_name_news_.exchange(false)) publish_names();
  activate_due_decks();
  store_registrations();
  carry_ledger_forward();
  keep_days();
  package_keeper_->advance(wall_us());
  compare_with_peers();
}

/// Maintenance of the day files, when its time has come.
void Switch::Body::keep_days() {
  const std::int64_t now_us = environment_.network->clock().monotonic_us();
  if (days_kept_at_us_ != 0 && now_us - days_kept_at_us_ < maintenance_tick_us) return;
  days_kept_at_us_ = now_us;
  const SwitchConfig config = records_config();
  // A schedule that a reload has taken away is gone when the desk was told.
  if (!config.maintenance.is_scheduled && !maintenance_.state().is_scheduled) return;
  const auto place = maintenance_place(config);
  std::string failure = place ? std::string() : place.error().message;
  if (!failure.empty() && failure != maintenance_failure_) alarm(failure);  // it is tried again
  maintenance_failure_ = std::move(failure);
  if (place) maintenance_.tick(*place);
}

Result<void> Switch::Body::start_maintenance(MaintenanceAct act, std::string_view day) {
  const auto place = maintenance_place(records_config());
  if (!place) return place.error();
  return maintenance_.start(*place, act, day);
}

/// On the thread of the maintenance.
void Switch::Body::tell_of_maintenance(const MaintenanceOutcome& outcome) {
  const std::string act = maintenance_act_name(outcome.act);
  log_.write(LogLevel::info, "switch", "maintenance",
             {{"act", act}, {"day", outcome.day}, {"failure", outcome.failure}});
  if (outcome.failure.empty() || outcome.is_put_off) return;
  const std::string what = outcome.day.empty() ? act : act + " of " + outcome.day;
  alarm("maintenance failed, " + what + ": " + outcome.failure);
}

/// What a period came to at both ends of the interconnects that want to know (B-27).
void Switch::Body::compare_with_peers() {
  SwitchConfig wanted;  // what the reconciler looks at, without a copy of the rates
  {
    const std::lock_guard lock(config_mutex_);
    wanted.parameters = config_.parameters;
    for (const VendorGateway& vendor : config_.provision.vendor_gateways) {
      if (!vendor.reconciliation) continue;
      VendorGateway& one = wanted.provision.vendor_gateways.emplace_back();
      one.id = vendor.id;
      one.reconciliation = vendor.reconciliation;
    }
  }
  reconciler_->advance(wall_us(), wanted);
}

/// Once a second: says what stopped working and what works again (alarms of O-03).
void Switch::Body::judge_health() {
  seats_.front().loop->timers().start(*watch_timer_, second_us);
  deliver_media_events();
  const auto judge = [&](const std::string& what, bool is_bad, const std::string& text) {
    bool& raised = alarms_[what];
    if (raised == is_bad) return;
    raised = is_bad;
    alarm(is_bad ? text : what + " works again");
  };
  judge("journal", !journal_->is_writable(), "journal cannot be written, new calls are refused");
  const auto judge_sink = [&](const cdr::SinkRunner& runner) {
    const CdrSinkState state = runner.state();
    judge("sink " + state.name, state.is_failing,
          "sink " + state.name + " fails: " + state.last_error);
    std::uint64_t& told = set_aside_told_[state.name];
    if (state.set_aside > told) {
      alarm("sink " + state.name + " refused records for good: " + std::to_string(state.set_aside) +
            " were set aside");
    }
    told = state.set_aside;
  };
  for (const LimitNews& news : state_.accounts.take_limit_news()) {
    alarm("account \"" + news.account + "\" reached its limit \"" + limit_key(news.limit) +
          "\": calls are refused until " + format_time_us(news.until_us));
  }
  judge_sink(*ledger_runner_);
  judge_sink(*package_runner_);
  for (const Sink& sink : sinks_)
    judge_sink(*sink.runner);
  if (name_keeper_ != nullptr) judge_names(judge);
  tell_of_ended_traces();
}

void Switch::Body::alarm(std::string text) {
  log_.write(LogLevel::error, "switch", "alarm", {{"text", text}});
  if (!wants_events()) return;
  Event event;
  event.kind = Event::Kind::alarm;
  event.at_us = environment_.network->clock().wall_us();
  event.text = std::move(text);
  publish(std::move(event));
}

void Switch::Body::publish(Event event) noexcept {
  const bool is_watched = hub_->has_feeds();
  if (hooks_.on_event) {
    try {
      callbacks_->push(is_watched ? Event(event) : std::move(event));
    } catch (const std::exception&) {  // no memory for the copy: the watchers get it
    }
  }
  if (is_watched) hub_->publish(std::move(event));
}

void Switch::Body::drain() noexcept {
  const std::lock_guard lock(workers_mutex_);
  if (life_ == Life::closed) return;
  commons_->is_draining.store(true);
  stack_->set_draining(true);
}

std::size_t Switch::Body::live_calls() const noexcept {
  return static_cast<std::size_t>(std::max<std::int64_t>(0, commons_->live_calls.load()));
}

Result<void> Switch::Body::wait_idle(std::int64_t timeout_us) {
  wait_until([this] { return live_calls() == 0; }, timeout_us);
  if (live_calls() != 0)
    return Error{ErrorCode::timeout, std::to_string(live_calls()) + " calls were still up"};
  return {};
}

/// Dialogs outlive their calls until the other side has answered the BYE.
std::uint64_t Switch::Body::live_dialogs() const noexcept {
  std::uint64_t sum = 0;
  for (unsigned i = 0; i < seats_.size(); ++i)
    sum += stack_->counters(i).dialogs_live.load();
  return sum;
}

/// Polls, because a call ends on its worker and tells nobody; used at shutdown only.
void Switch::Body::wait_until(const std::function<bool()>& is_done, std::int64_t timeout_us) {
  if (is_simulated()) return;
  std::mutex mutex;
  std::condition_variable never;
  std::unique_lock lock(mutex);
  const SystemClock clock;
  const std::int64_t end_us = clock.monotonic_us() + timeout_us;
  while (!is_done() && clock.monotonic_us() < end_us) {
    never.wait_for(lock, std::chrono::milliseconds(20));
  }
}

void Switch::Body::close() {
  const std::lock_guard lock(close_mutex_);
  if (life_ == Life::closed) return;
  if (rerate_jobs_ != nullptr) rerate_jobs_->stop();  // its end is waited for behind the calls
  {
    const std::lock_guard builder_lock(builder_mutex_);
    is_builder_over_ = true;
  }
  builder_wakes_.notify_all();
  if (builder_.joinable()) builder_.join();
  maintenance_.close();
  retired_tables_->close();
  if (life_ == Life::running) {
    commons_->is_draining.store(true);
    ask_workers([](call::Worker& worker) {
      worker.end_all(Reason::ServerShutdown);
      worker.leave_vendors();
      return true;
    });
    wait_until([this] { return live_calls() == 0 && live_dialogs() == 0 && !is_at_vendors(); },
               farewell_us);
  }
  {
    const std::lock_guard workers_lock(workers_mutex_);
    life_ = Life::closed;
  }
  for (Seat& seat : seats_) {
    if (seat.loop != nullptr) seat.loop->stop();
  }
  if (commons_ != nullptr) commons_->is_closed.store(true);
  watch_timer_.reset();
  pump_timer_.reset();
  {
    const std::lock_guard reconciler_lock(reconciler_mutex_);
    reconciler_.reset();
  }
  name_keeper_.reset();
  for (Seat& seat : seats_)
    seat.worker.reset();  // legs that are left go to the stack
  stack_.reset();
  close_traces();
  store_registrations();
  relay_.reset();  // its ports, or its events, need the first loop
  recorder_.reset();
  for (Seat& seat : seats_)
    seat.loop.reset();
  if (rerate_jobs_ != nullptr) rerate_jobs_->close();
  if (journal_ != nullptr) {
    if (is_simulated()) {
      journal_->pump();
      if (ledger_runner_ != nullptr) ledger_runner_->pump();
      if (package_runner_ != nullptr) package_runner_->pump();
      for (Sink& sink : sinks_)
        sink.runner->pump();
    }
    journal_->close();
  }
  for (Sink& sink : sinks_)
    sink.runner->stop(sink_drain_ms);
  if (ledger_runner_ != nullptr) ledger_runner_->stop(sink_drain_ms);
  if (package_runner_ != nullptr) package_runner_->stop(sink_drain_ms);
  if (callbacks_ != nullptr) callbacks_->close();
  hub_->close();
  if (running_shadow() != nullptr) (void)stop_shadow();  // nobody waits for the report any more
}

/// On the journal's writer: wakes the workers whose calls wait to be answered.
void Switch::Body::tell_workers_of_commit() noexcept {
  const std::lock_guard lock(workers_mutex_);
  if (life_ != Life::running) return;
  for (Seat& seat : seats_) {
    call::Worker* const worker = seat.worker.get();
    if (worker == nullptr || !worker->is_awaiting()) continue;
    // A full loop: the call's own timer serves it.
    (void)seat.loop->post([worker] { worker->on_durable(); });
  }
}

void Switch::Body::hasten_commit() noexcept {
  if (!is_simulated() || is_commit_due_) return;
  is_commit_due_ = true;
  seats_.front().loop->defer([this] {
    is_commit_due_ = false;
    journal_->pump();
  });
}

// --- tables ---

std::shared_ptr<const call::Tables> Switch::Body::tables() const {
  const std::lock_guard lock(config_mutex_);
  return tables_;
}

SwitchConfig Switch::Body::config_in_force() const {
  const std::lock_guard lock(config_mutex_);
  return config_;
}

std::string Switch::Body::account_currency(std::string_view account) const {
  const auto known = state_.accounts.state(account);
  return known ? known->settings.currency : std::string();
}

Result<std::vector<std::string>> Switch::Body::reload(const SwitchConfig& update) {
  if (life_ == Life::closed) return Error{ErrorCode::wrong_state, "switch was closed"};
  const auto refused = [](const std::vector<ConfigError>& errors) {
    return Error{ErrorCode::invalid_argument,
                 errors.front().pointer + ": " + errors.front().message};
  };
  std::vector<ConfigError> errors;
  check_config(update, errors);
  if (!errors.empty()) return refused(errors);
  // Before anything changes: with files that cannot be used all stays as it is.
  auto tls = open_tls(update);
  if (!tls) return tls.error();
  Provision objects = update.provision;
  if (auto frozen = freeze_decks(objects.rate_decks); !frozen) return frozen.error();

  const auto lock = provisioning_body_->exclusive();
  const SwitchConfig before = config_in_force();
  SwitchConfig merged = before;
  merged.parameters = update.parameters;
  merged.sip_tls = update.sip_tls;
  if (merged.sip_tls) *merged.sip_tls = resolved_tls(*merged.sip_tls, update.folder);
  // Marks of packets are those that the sockets were opened with.
  merged.parameters.sip_tos = before.parameters.sip_tos;
  merged.parameters.media_tos = before.parameters.media_tos;
  merged.parameters.auth_sha256 = before.parameters.auth_sha256;
  // Transactions under way go by the timers that they began with.
  merged.parameters.sip_t1_ms = before.parameters.sip_t1_ms;
  merged.parameters.sip_t2_ms = before.parameters.sip_t2_ms;
  merged.parameters.sip_t4_ms = before.parameters.sip_t4_ms;
  merged.parameters.sip_resend_ms = before.parameters.sip_resend_ms;
  ProvisionStore& store = provisioning_body_->store();
  ProvisionStore::Batch versions;
  if (auto laid =
          lay_decks(provisioning_body_->decks(), objects.rate_decks, 0, wall_us(), versions);
      !laid)
    return laid.error();
  config::upsert(merged.provision, objects);
  check_config(merged, errors);
  check_moved_phones(before, merged, errors);
  if (!errors.empty()) return refused(errors);
  auto installed = install(std::move(merged), [&] { return store.write(versions); });
  if (!installed) return installed.error();
  provisioning_body_->note_changed_decks();
  {
    // What is being closed takes no connections any more.
    const std::lock_guard workers_lock(workers_mutex_);
    if (life_ != Life::closed) {
      stack_->set_tls(*tls, handshake_limits(update));
      stack_->set_publish(update.parameters.publish_expires_s);
    }
  }
  warn_of_certificate(tls->get());

  std::vector<std::string> need_restart;
  const auto differs = [&](const char* key, bool different) {
    if (different) need_restart.emplace_back(key);
  };
  differs("database", update.path(update.database) != before.path(before.database));
  differs("deck_images", update.deck_images != before.deck_images);
  differs("sip.listen", !same_listeners(update.sip_listen, before.sip_listen));
  differs("sip.connections_per_peer",
          update.sip_connections_per_peer != before.sip_connections_per_peer);
  differs("sip.product", update.sip_product != before.sip_product);
  differs("sip.workers", update.sip_workers != before.sip_workers);
  differs("media", update.media_address != before.media_address ||
                       update.media_address6 != before.media_address6 ||
                       update.media_port_low != before.media_port_low ||
                       update.media_port_high != before.media_port_high ||
                       update.media_backend != before.media_backend ||
                       update.media_shards != before.media_shards ||
                       update.media_nice != before.media_nice);
  differs("parameters.sip_tos", update.parameters.sip_tos != before.parameters.sip_tos);
  differs("parameters.sip_t1_ms", update.parameters.sip_t1_ms != before.parameters.sip_t1_ms);
  differs("parameters.sip_t2_ms", update.parameters.sip_t2_ms != before.parameters.sip_t2_ms);
  differs("parameters.sip_t4_ms", update.parameters.sip_t4_ms != before.parameters.sip_t4_ms);
  differs("parameters.sip_resend_ms",
          update.parameters.sip_resend_ms != before.parameters.sip_resend_ms);
  differs("recording", update.recording != before.recording);
  differs("parameters.media_tos", update.parameters.media_tos != before.parameters.media_tos);
  differs("parameters.auth_sha256", update.parameters.auth_sha256 != before.parameters.auth_sha256);
  differs("admin.listen", update.admin_listen != before.admin_listen);
  differs("admin.token", update.admin_token != before.admin_token);
  differs("cdr.journal", update.path(update.cdr_journal) != before.path(before.cdr_journal));
  differs("cdr.sinks", update.cdr_sinks != before.cdr_sinks);
  differs("dns", update.dns != before.dns);
  differs("shadow", update.shadow != before.shadow);
  differs("trace", update.trace != before.trace);
  return need_restart;
}

/// Accounts that are new here may have money that an earlier run left them: a balance that is
/// configured counts once.
Result<void> Switch::Body::prepare_accounts(SwitchConfig& config) {
  for (AccountConfig& account : config.provision.accounts) {
    const std::string currency = account_currency(account.id);
    if (currency.empty()) {
      auto left = ledger_->balance(account.id);
      if (!left) return left.error();
      if (*left) account.balance = **left;
    } else if (currency != account.currency) {
      return Error{ErrorCode::invalid_argument, "account \"" + account.id + "\" is in " + currency +
                                                    " and cannot become one in " +
                                                    account.currency};
    }
  }
  return {};
}

Result<void> Switch::Body::open_accounts(const SwitchConfig& config) {
  for (const AccountConfig& account : config.provision.accounts) {
    auto made = ledger_->create_account_if_absent(account.id, account.balance, wall_us());
    if (!made) return made.error();
    // A change that failed may have opened it with another balance.
    if (*made) {
      if (auto opened = state_.accounts.restore(account.id, account.balance); !opened)
        return opened;
    }
  }
  return {};
}

Result<void> Switch::Body::install(SwitchConfig config,
                                   const std::function<Result<void>()>& commit) {
  if (life_ == Life::closed) return Error{ErrorCode::wrong_state, "switch was closed"};
  if (auto prepared = prepare_accounts(config); !prepared) return prepared;
  const std::shared_ptr<const call::Tables> old = tables();
  auto built = call::build_tables(config, state_, old.get());
  auto done = built ? open_accounts(config) : Result<void>(built.error());
  if (done) done = commit();
  if (!done) {
    // Building has given the accounts their new limits and locks already.
    for (const AccountConfig& account : config_.provision.accounts)
      (void)state_.accounts.provision(call::account_settings(config_, account),
                                      account.balance);  // it was possible before
    (void)call::provision_packages(config_, state_.packages);
    return done;
  }
  const std::shared_ptr<const call::Tables> fresh = retired_tables_->watch(std::move(*built));
  call::LocatedNames located;
  {
    // Tables take long to build: close() may have freed the keeper meanwhile.
    const std::lock_guard workers_lock(workers_mutex_);
    if (life_ != Life::closed) {
      name_keeper_->want(call::wanted_locations(*fresh));
      located = name_keeper_->located();
    }
  }
  const auto fresh_names = call::build_names(*fresh, state_, located, names().get());
  std::shared_ptr<const PastRates> stale;  // ends without the lock, as the old configuration does
  {
    const std::lock_guard lock(config_mutex_);
    tables_ = fresh;
    names_ = fresh_names;
    stale.swap(past_rates_);
    account_ids_ = ids_of(config.provision.accounts);
    std::swap(config_, config);  // the old one ends without the lock: it may take long
  }
  ask_workers([fresh, fresh_names](call::Worker& worker) {
    worker.set_tables(fresh, fresh_names);
    return true;
  });
  use_registrants(*fresh);
  if (package_keeper_) package_keeper_->advance(wall_us());  // new orders begin at once
  state_.forget_unused();
  if (wants_events()) {
    Event event;
    event.kind = Event::Kind::reloaded;
    event.at_us = wall_us();
    publish(std::move(event));
  }
  return {};
}

// --- questions ---

void Switch::Body::on_worker(std::size_t index, std::function<void(call::Worker&)> task) {
  const std::lock_guard lock(workers_mutex_);
  if (life_ != Life::running) return;
  call::Worker* const worker = seats_[index].worker.get();
  (void)seats_[index].loop->post(
      [worker, task = std::move(task)] { task(*worker); });  // a stopped loop has no calls
}

template <class Question>
auto Switch::Body::ask_workers(Question question)
    -> std::vector<std::invoke_result_t<Question&, call::Worker&>> {
  using Reply = std::invoke_result_t<Question&, call::Worker&>;
  std::vector<Reply> replies;
  std::unique_lock workers_lock(workers_mutex_);
  if (life_ == Life::closed) return replies;
  if (is_simulated() || life_ == Life::created) {  // the loops run on this thread or on none
    workers_lock.unlock();
    for (Seat& seat : seats_)
      replies.push_back(question(*seat.worker));
    return replies;
  }
  // Lives as long as the last worker needs it: one that is late still does what was asked.
  struct Asked {
    explicit Asked(Question what) : question(std::move(what)) {}
    Question question;
    std::mutex mutex;  // guards what follows, and is never held while a worker works
    std::condition_variable has_reply;
    std::size_t left = 0;
    std::vector<Reply> replies;
  };
  const auto asked = std::make_shared<Asked>(std::move(question));
  asked->left = seats_.size();
  for (Seat& seat : seats_) {
    const auto posted = seat.loop->post([asked, worker = seat.worker.get()] {
      Reply reply = asked->question(*worker);
      const std::lock_guard lock(asked->mutex);
      asked->replies.push_back(std::move(reply));
      --asked->left;
      asked->has_reply.notify_all();
    });
    if (posted) continue;
    const std::lock_guard lock(asked->mutex);
    --asked->left;
  }
  workers_lock.unlock();
  std::unique_lock lock(asked->mutex);
  asked->has_reply.wait_for(lock, question_wait, [&] { return asked->left == 0; });
  replies.swap(asked->replies);
  return replies;
}

void Switch::Body::give_workers(const std::shared_ptr<const call::Names>& fresh) {
  ask_workers([fresh](call::Worker& worker) {
    worker.set_names(fresh);
    return true;
  });
}

std::vector<CallView> Switch::Body::calls() {
  std::vector<CallView> views;
  if (life_ != Life::running) return views;
  for (auto& own : ask_workers([](call::Worker& worker) { return worker.views(); })) {
    views.insert(views.end(), std::make_move_iterator(own.begin()),
                 std::make_move_iterator(own.end()));
  }
  std::sort(views.begin(), views.end(),
            [](const CallView& a, const CallView& b) { return a.started_at_us < b.started_at_us; });
  return views;
}

Result<void> Switch::Body::disconnect(std::uint64_t id) {
  if (life_ != Life::running) return Error{ErrorCode::wrong_state, "switch is not running"};
  const auto found = ask_workers([id](call::Worker& worker) { return worker.disconnect(id); });
  if (std::find(found.begin(), found.end(), true) == found.end())
    return Error{ErrorCode::not_found, "no call " + std::to_string(id)};
  return {};
}

Result<void> Switch::Body::record(std::uint64_t id, bool on) {
  if (life_ != Life::running) return Error{ErrorCode::wrong_state, "switch is not running"};
  Result<void> result = Error{ErrorCode::not_found, "no call " + std::to_string(id)};
  for (auto& answer :
       ask_workers([id, on](call::Worker& worker) { return worker.record(id, on); })) {
    if (answer || answer.error().code != ErrorCode::not_found ||
        answer.error().message != result.error().message)
      return std::move(answer);
  }
  return result;
}

void Switch::Body::answer(std::uint64_t token, const PolicyAnswer& answer) {
  const std::size_t index = token >> call::call_id_worker_shift;
  if (index >= seats_.size()) return;
  on_worker(index, [token, answer](call::Worker& worker) { worker.answer_policy(token, answer); });
}

void Switch::Body::answer_lrn(std::uint64_t token, const LrnAnswer& answer) {
  const std::size_t index = token >> call::call_id_worker_shift;
  if (index >= seats_.size()) return;
  on_worker(index, [token, answer](call::Worker& worker) { worker.answer_lrn(token, answer); });
}

/// Removed accounts keep their balance in the book, and are not shown.
std::vector<AccountState> Switch::Body::accounts() const {
  std::vector<AccountState> all = state_.accounts.snapshot();
  const std::lock_guard lock(config_mutex_);
  std::erase_if(
      all, [this](const AccountState& state) { return !account_ids_.contains(state.settings.id); });
  for (AccountState& state : all) {
    if (!state.settings.limits.empty())
      state.limits = state_.accounts.limits(state_.accounts.find(state.settings.id), wall_us());
  }
  return all;
}

std::optional<AccountState> Switch::Body::account(std::string_view id) const {
  {
    const std::lock_guard lock(config_mutex_);
    if (!account_ids_.contains(id)) return std::nullopt;
  }
  auto state = state_.accounts.state(id);
  if (!state) return std::nullopt;
  state->limits = state_.accounts.limits(state_.accounts.find(id), wall_us());
  return std::move(*state);
}

Result<BookingAnswer> Switch::Body::book(const Booking& booking) {
  if (!account(booking.account))
    return Error{ErrorCode::not_found, "no account \"" + booking.account + "\""};
  if (booking.idempotency_key.starts_with(own_key_prefix))
    return Error{ErrorCode::invalid_argument,
                 "key \"" + booking.idempotency_key + "\" began as those of the switch itself do"};
  auto booked = bookings_->book(booking);
  // Also of a repetition: what failed after the first one is tried again.
  if (booked && !booked->amount.is_negative())
    package_keeper_->recharge(booking.account, wall_us());
  return booked;
}

Result<std::vector<PackagePeriod>> Switch::Body::packages(std::string_view account) const {
  if (!this->account(account))
    return Error{ErrorCode::not_found, "no account \"" + std::string(account) + "\""};
  return state_.packages.current(account);
}

Result<std::vector<PackagePeriod>> Switch::Body::phone_packages(std::string_view number) const {
  const auto known = phone(number);
  if (!known) return Error{ErrorCode::not_found, "no phone \"" + std::string(number) + "\""};
  return state_.packages.current_of_phone(known->number);  // asked for by a DID, perhaps
}

// Through connections of their own, so that the ledger's runner is not held up.
Result<std::vector<LedgerEntry>> Switch::Body::ledger(const LedgerQuery& query) const {
  return environment_.ledger == nullptr ? query_ledger(config_in_force(), query)
                                        : ledger_->entries(query);
}

Result<LedgerCheck> Switch::Body::check_ledger() const {
  return environment_.ledger == nullptr ? tandem::check_ledger(config_in_force())
                                        : ledger_->check({});
}

std::vector<GatewayView> Switch::Body::gateways() const {
  std::shared_ptr<const call::Tables> snapshot;
  std::shared_ptr<const call::Names> known_names;
  {
    const std::lock_guard lock(config_mutex_);
    snapshot = tables_;
    known_names = names_;
  }
  const call::LocatedNames located = located_names();
  const std::int64_t now_us = environment_.network->clock().monotonic_us();
  std::vector<GatewayView> views;
  const auto show_registration = [this](const GatewayConfig& gateway, GatewayView& view) {
    view.registration = gateway.registration;
    if (gateway.registration != GatewayRegistration::dynamic) return;
    view.contacts = contacts_of(gateway.id);
    view.is_registered = !view.contacts.empty();
  };
  for (std::size_t i = 0; i < snapshot->sources.size(); ++i) {
    const call::Customer& customer = snapshot->customers[i];
    GatewayView& view = views.emplace_back();
    view.id = customer.config.id;
    view.calls = static_cast<std::int32_t>(customer.lines.current());
    view.line_limit = customer.config.line_limit;
    view.locked = customer.config.locked;
    show_registration(customer.config, view);
    show_names(customer.config, false, *snapshot, located, now_us, view);
  }
  for (std::uint32_t i = 0; i < snapshot->routes.size(); ++i) {
    const auto& vendor = snapshot->vendors[i].config;
    GatewayView& view = views.emplace_back();
    show_registration(vendor, view);
    if (const auto& uplink = snapshot->vendors[i].uplink; uplink != nullptr) {
      view.is_registered = uplink->is_registered.load();
      view.registered_until_us = uplink->expires_at_us.load();
      view.registration_status = uplink->last_status.load();
    }
    view.id = vendor.id;
    view.is_vendor = true;
    view.calls = static_cast<std::int32_t>(snapshot->vendor_lines->current_calls(i));
    view.line_limit = vendor.line_limit;
    view.locked = vendor.locked;
    show_addresses(snapshot->vendors[i], known_names.get(), now_us, view);
    show_names(vendor, true, *snapshot, located, now_us, view);
  }
  return views;
}

std::vector<ContactView> Switch::Body::contacts_of(std::string_view registrant) const {
  const std::int64_t now_us = environment_.network->clock().monotonic_us();
  const std::int64_t wall_minus_us = wall_minus_monotonic_us();
  std::vector<ContactView> views;
  for (phone::Contact& one : state_.registrar.contacts(registrant, now_us)) {
    views.push_back({std::move(one.uri), one.destination, one.source,
                     std::string(transport_name(one.transport)), std::move(one.product),
                     one.q_thousandths, one.registered_at_us + wall_minus_us,
                     one.expires_at_us + wall_minus_us});
  }
  return views;
}

PhoneView Switch::Body::view_of(const call::Phone& phone, const call::Tables& tables) const {
  const call::Customer& caller = tables.customers[phone.customer];
  PhoneView view;
  view.number = phone.config.number;
  view.dids = phone.config.dids;
  view.account = phone.config.account;
  view.locked = phone.config.locked;
  view.calls_out = static_cast<std::int32_t>(caller.lines.current());
  view.calls_in = static_cast<std::int32_t>(tables.vendors[phone.vendor].lines.current());
  view.line_in = phone.config.line_in;
  view.line_out = phone.config.line_out;
  view.line_limit = phone.config.line_limit;
  view.contacts = contacts_of(caller.config.id);
  return view;
}

std::vector<PhoneView> Switch::Body::phones() const {
  const auto snapshot = tables();
  std::vector<PhoneView> views;
  views.reserve(snapshot->phones.size());
  for (const call::Phone& phone : snapshot->phones)
    views.push_back(view_of(phone, *snapshot));
  return views;
}

std::optional<PhoneView> Switch::Body::phone(std::string_view number) const {
  const auto snapshot = tables();
  const call::Phone* const phone = snapshot->find_phone(number);
  if (phone == nullptr) return std::nullopt;
  return view_of(*phone, *snapshot);
}

std::vector<SuspensionView> Switch::Body::suspensions() const {
  return state_.suspensions.list(environment_.network->clock().monotonic_us());
}

Result<void> Switch::Body::lift_suspension(std::string_view user, std::string_view address) {
  const auto ip = IpAddress::parse(address);
  if (!ip) return ip.error();
  if (state_.suspensions.lift(user, *ip, environment_.network->clock().monotonic_us())) return {};
  return Error{ErrorCode::not_found,
               "no suspension of \"" + std::string(user) + "\" at " + ip->to_string()};
}

SwitchCounters Switch::Body::counters() const {
  SwitchCounters sum;
  std::unique_lock workers_lock(workers_mutex_);
  const bool is_open = life_ != Life::closed;
  for (std::size_t i = 0; is_open && i < seats_.size(); ++i) {
    const call::WorkerCounters& worker = seats_[i].worker->counters();
    sum.calls_started += worker.started.load();
    sum.calls_answered += worker.answered.load();
    sum.calls_ended += worker.ended.load();
    sum.calls_refused += worker.refused.load();
    sum.calls_by_worker.push_back(worker.started.load());
    const sip::StackCounters& sip = stack_->counters(static_cast<unsigned>(i));
    sum.datagrams_received += sip.datagrams_received.load();
    sum.malformed += sip.malformed_dropped.load() + sip.malformed_answered.load();
    sum.retransmissions += sip.retransmissions.load();
    sum.dialogs_live += sip.dialogs_live.load();
    sum.transactions_live += sip.transactions_live.load();
    sum.registers_received += sip.registers_received.load();
    sum.tls_handshakes += sip.tls_handshakes.load();
    sum.tls_failures += sip.tls_failures.load();
    sum.tls_refused += sip.tls_refused.load();
    sum.websockets_opened += sip.websockets_opened.load();
    sum.websocket_failures += sip.websocket_failures.load();
    sum.overload_refused += sip.overload_refused.load();
    sum.overload_dropped += sip.overload_dropped.load();
    sum.overload_waited += sip.arrivals_waited.load();
    sum.overload_loss_percent =
        std::max(sum.overload_loss_percent, sip.overload_loss_percent.load());
  }
  if (is_open) {
    const io::DnsResolverCounters dns = name_keeper_->counters();
    sum.dns = {
        dns.questions, dns.answers, dns.timeouts, dns.failures, dns.strays, dns.truncated, 0, 0};
    for (const auto& [key, found] : name_keeper_->located()) {
      ++sum.dns.names;
      if (found.is_stale || found.places.empty()) ++sum.dns.names_failing;
    }
  }
  sum.calls_live = live_calls();
  if (is_open && relay_) sum.media = relay_->stats();
  if (is_open && recorder_) sum.recorder = recorder_->stats();
  sum.media_sessions_live = sum.media.sessions;
  workers_lock.unlock();
  sum.events_dropped = callbacks_->dropped();
  for (const auto& resolver : tables()->lrn_resolvers)
    sum.lrn.push_back(lrn::counters_of(*resolver));
  sum.event_feeds = hub_->feeds();
  sum.feed_events_lost = hub_->lost();
  const CdrJournalCounters journal = journal_->counters();
  sum.journal_records = journal.appended;
  sum.journal_lag = journal.waiting;
  sum.journal_writable = journal_->is_writable();
  sum.is_draining = commons_->is_draining.load();
  sum.registrants_online = state_.registrar.online();
  sum.registers_refused = register_rates_->refused();
  sum.registers_dropped = register_rates_->dropped();
  for (const TraceView& trace : trace_recorder_->traces())
    sum.traces_running += trace.id != 0 && trace.end == TraceEnd::none;
  sum.hep_sent = trace_recorder_->hep().sent.load();
  sum.hep_dropped = trace_recorder_->hep().dropped.load();
  return sum;
}

SwitchConfig Switch::Body::records_config() const {
  SwitchConfig config;
  const std::lock_guard lock(config_mutex_);
  config.folder = config_.folder;
  config.cdr_sinks = config_.cdr_sinks;
  // Corrections of a ledger that was given are not in a file of the configuration's.
  config.database = environment_.ledger == nullptr ? config_.database : std::string();
  config.parameters = config_.parameters;
  config.maintenance = config_.maintenance;
  config.recording = config_.recording;
  return config;
}

Result<std::string> Switch::Body::explain(const ExplainRequest& request) {
  const auto random = make_random(0);
  std::shared_ptr<const call::Tables> snapshot;
  std::shared_ptr<const call::Names> known_names;
  {
    const std::lock_guard lock(config_mutex_);
    snapshot = tables_;
    known_names = names_;
  }
  return explain_call(std::move(snapshot), std::move(known_names), state_, *random,
                      environment_.network->clock(), request);
}

// --- shadow ---

std::shared_ptr<Shadow> Switch::Body::running_shadow() const {
  const std::lock_guard lock(shadow_mutex_);
  return shadow_;
}

/// On the worker of the call.
void Switch::Body::shadow(call::ShadowCall call) noexcept {
  if (const std::shared_ptr<Shadow> running = running_shadow(); running != nullptr)
    running->offer(std::move(call));
}

Result<void> Switch::Body::start_shadow(std::string_view text) {
  const std::lock_guard start_lock(shadow_start_mutex_);
  if (life_ == Life::closed) return Error{ErrorCode::wrong_state, "switch was closed"};
  if (running_shadow() != nullptr) return Error{ErrorCode::wrong_state, "a shadow runs already"};
  auto plan = read_shadow_plan(text);
  if (!plan) return plan.error();
  auto config = config_of_shadow(*plan, config_in_force(),
                                 [this](const std::string& deck, std::uint64_t version) {
                                   return provisioning_body_->deck_at(deck, version);
                                 });
  if (!config) return config.error();
  constexpr std::uint64_t random_salt = 1'000;  // beyond those of the workers
  auto started = Shadow::start(std::move(*config), std::move(*plan), make_random(random_salt),
                               wall_us(), !is_simulated());
  if (!started) return started.error();
  const std::lock_guard lock(shadow_mutex_);
  shadow_ = std::move(*started);
  has_shadow_.store(true, std::memory_order_relaxed);
  return {};
}

Result<std::string> Switch::Body::shadow_report() const {
  const std::shared_ptr<Shadow> running = running_shadow();
  if (running == nullptr) return Error{ErrorCode::not_found, "no shadow runs"};
  return running->report(wall_us());
}

Result<std::string> Switch::Body::stop_shadow() {
  std::shared_ptr<Shadow> ended;
  {
    const std::lock_guard lock(shadow_mutex_);
    has_shadow_.store(false, std::memory_order_relaxed);
    ended.swap(shadow_);
  }
  if (ended == nullptr) return Error{ErrorCode::not_found, "no shadow runs"};
  ended->stop();
  return ended->report(wall_us());
}

std::vector<ListenConfig> Switch::Body::listening() const {
  std::vector<ListenConfig> result;
  const std::lock_guard lock(workers_mutex_);
  if (life_ == Life::closed) return result;
  for (const sip::ListenAddress& listen : stack_->listening()) {
    result.push_back({listen.transport, listen.address, listen.client_certificate});
  }
  return result;
}

// --- the public class ---

Result<std::unique_ptr<Switch>> SwitchAccess::create(const SwitchConfig& config, SwitchHooks hooks,
                                                     Environment environment) {
  auto body = Switch::Body::create(config, std::move(hooks), std::move(environment));
  if (!body) return body.error();
  return std::unique_ptr<Switch>(new Switch(std::move(*body)));
}

Result<std::unique_ptr<Switch>> Switch::create(const SwitchConfig& config, SwitchHooks hooks) {
  return SwitchAccess::create(config, std::move(hooks),
                              {io::make_system_network(), std::nullopt, nullptr});
}

Switch::Switch(std::unique_ptr<Body> body) : body_(std::move(body)) {}
Switch::~Switch() = default;
Result<void> Switch::start() { return body_->start(); }
void Switch::drain() { body_->drain(); }
std::size_t Switch::live_calls() const { return body_->live_calls(); }
Result<void> Switch::wait_idle(std::int64_t timeout_us) { return body_->wait_idle(timeout_us); }
void Switch::close() { body_->close(); }
Result<std::vector<std::string>> Switch::reload(const SwitchConfig& config) {
  return body_->reload(config);
}
Provisioning& Switch::provisioning() { return body_->provisioning(); }
Result<EventFeed> Switch::watch(std::size_t queue_events) { return body_->watch(queue_events); }
std::vector<CallView> Switch::calls() const { return body_->calls(); }
Result<void> Switch::disconnect(std::uint64_t id) { return body_->disconnect(id); }
Result<void> Switch::record(std::uint64_t id, bool on) { return body_->record(id, on); }
void Switch::answer(std::uint64_t token, const PolicyAnswer& answer) {
  body_->answer(token, answer);
}
void Switch::answer_lrn(std::uint64_t token, const LrnAnswer& answer) {
  body_->answer_lrn(token, answer);
}
std::vector<AccountState> Switch::accounts() const { return body_->accounts(); }
std::optional<AccountState> Switch::account(std::string_view id) const {
  return body_->account(id);
}
Result<Amount> Switch::pay(std::string_view account, Amount amount, std::string_view memo) {
  const auto kind = amount.is_negative() ? LedgerKind::deduction : LedgerKind::payment;
  const auto answer =
      body_->book({std::string(account), amount, kind, std::string(memo), {}, {}, false});
  if (!answer) return answer.error();
  return answer->balance;
}
Result<BookingAnswer> Switch::book(const Booking& booking) { return body_->book(booking); }
Result<std::vector<LedgerEntry>> Switch::ledger(const LedgerQuery& query) const {
  return body_->ledger(query);
}
Result<LedgerCheck> Switch::check_ledger() const { return body_->check_ledger(); }
Result<std::vector<MarginRow>> Switch::margin_report(const std::string& sell,
                                                     const std::vector<std::string>& buys,
                                                     std::optional<std::int64_t> at_us) const {
  return tandem::margin_report(body_->config_in_force(), sell, buys,
                               at_us.value_or(body_->wall_us()));
}
Result<Rerater> Switch::rerate_history(const RerateQuery& query) const {
  return body_->rerate_history(query);
}
Result<ExternalAnswer> Switch::record_call(const ExternalCall& call) {
  return body_->record_call(call);
}
Result<InterconnectTotals> Switch::interconnect_totals(const InterconnectQuery& query) const {
  return body_->interconnect_totals(query);
}
Result<std::vector<InterconnectCall>> Switch::interconnect_calls(
    const InterconnectQuery& query) const {
  return body_->interconnect_calls(query);
}
std::vector<PeerCheck> Switch::peer_checks() const { return body_->peer_checks(); }
bool Switch::is_reconciliation_token(std::string_view gateway, std::string_view token) const {
  return body_->is_reconciliation_token(gateway, token);
}
Result<Correction> Switch::correct(const CorrectionRequest& request) {
  return body_->correct(request);
}
Result<std::vector<Correction>> Switch::corrections(const CorrectionQuery& query) const {
  return body_->corrections(query);
}
Result<AppliedRerate> Switch::apply_rerate(const RerateQuery& query,
                                           const RerateApplication& application) {
  return body_->apply_rerate(query, application);
}
Result<std::uint64_t> Switch::start_rerate(const RerateQuery& query,
                                           const RerateApplication& application) {
  return body_->start_rerate(query, application);
}
Result<RerateJob> Switch::rerate_job(std::uint64_t id) const { return body_->rerate_job(id); }
Result<void> Switch::cancel_rerate(std::uint64_t id) { return body_->cancel_rerate(id); }
Result<std::vector<PackagePeriod>> Switch::packages(std::string_view account) const {
  return body_->packages(account);
}
Result<std::vector<PackagePeriod>> Switch::phone_packages(std::string_view number) const {
  return body_->phone_packages(number);
}
std::vector<GatewayView> Switch::gateways() const { return body_->gateways(); }
std::vector<PhoneView> Switch::phones() const { return body_->phones(); }
std::optional<PhoneView> Switch::phone(std::string_view number) const {
  return body_->phone(number);
}
std::vector<SuspensionView> Switch::suspensions() const { return body_->suspensions(); }
Result<void> Switch::lift_suspension(std::string_view user, std::string_view address) {
  return body_->lift_suspension(user, address);
}
SwitchCounters Switch::counters() const { return body_->counters(); }
Result<std::vector<Cdr>> Switch::cdrs(const CdrQuery& query) const { return body_->cdrs(query); }
Result<CdrCursor> Switch::cdr_cursor(const CdrFilter& filter,
                                     std::optional<std::uint64_t> before_record_id) const {
  return tandem::cdr_cursor(body_->records_config(), filter, before_record_id);
}
Result<CallReport> Switch::call_report(const CallReportRequest& request) const {
  SwitchConfig config = body_->config_in_force();
  config.database = body_->records_config().database;
  return tandem::call_report(config, request);
}
Result<std::string> Switch::explain(const ExplainRequest& request) const {
  return body_->explain(request);
}
Result<void> Switch::start_shadow(std::string_view plan) { return body_->start_shadow(plan); }
Result<std::string> Switch::shadow_report() const { return body_->shadow_report(); }
Result<std::string> Switch::stop_shadow() { return body_->stop_shadow(); }
MaintenanceState Switch::maintenance() const { return body_->maintenance(); }
Result<void> Switch::start_maintenance(MaintenanceAct act, std::string_view day) {
  return body_->start_maintenance(act, day);
}
Result<std::vector<StoredDay>> Switch::stored_days() const {
  return tandem::stored_days(body_->records_config());
}
std::vector<ListenConfig> Switch::listening() const { return body_->listening(); }

}  // namespace tandem
