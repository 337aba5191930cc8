// How a switch is put together.
#include "switch/body.hpp"

#include <algorithm>
#include <set>

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
#include "switch/tls_files.hpp"
#include "tandem/version.h"

namespace tandem {

namespace {

constexpr std::int64_t ms_us = 1'000;
constexpr std::int64_t second_us = 1'000'000;
constexpr unsigned media_events_max = 4'096;  // of a shard, between two turns of the first loop

constexpr std::uint32_t kind_bit(MediaEvent::Kind kind) noexcept {
  return 1U << static_cast<unsigned>(kind);
}
constexpr std::int64_t pump_period_us = 100'000;
constexpr std::int64_t catch_up_durable_ms = 5'000;
constexpr std::size_t workers_max = 64;
constexpr std::uint64_t registration_salt = 2'000;  // beyond those of workers and shadow

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
                                                   const Clock& clock, const std::string& name) {
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
    remote::SqlRetention retention{cdr::make_day_guard(retention_place(of_switch), clock, disk),
                                   name};
    auto sink = remote::open_sql_sink(
        config.type == "mariadb" ? remote::SqlServer::mariadb : remote::SqlServer::postgresql,
        std::move(sql), disk, clock, std::move(retention));
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

}  // namespace

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
  for (auto step :
       {&Body::open_journal, &Body::open_provisioning, &Body::open_records,
        &Body::open_registrations, &Body::open_workers, &Body::open_notices, &Body::open_media,
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
  options.commit_interval_us = std::int64_t{1'000} * config_.cdr_commit_interval_ms;
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
    std::string name = sink.type + "-" + std::to_string(index++);
    auto target = open_sink(sink, config_, disk, environment_.network->clock(), name);
    if (!target) return target.error();
    if (auto added = add_sink(std::move(name), std::move(*target), sink.set_aside_after); !added)
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
  for (std::string& text : faults_of_voices(**tables))
    alarms_of_last_run_.push_back(std::move(text));
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
  compare_with_peers();  // from the period of the start on, whenever the first look comes
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
  media.jitter_min_ms = static_cast<unsigned>(config_.media_jitter_min_ms);
  media.jitter_max_ms = static_cast<unsigned>(config_.media_jitter_max_ms);
  media.tos = static_cast<std::uint8_t>(config_.parameters.media_tos);
  if (!config_.media_dtls_certificate.empty()) {
    media.dtls_certificate = config_.path(config_.media_dtls_certificate);
    media.dtls_key = config_.path(config_.media_dtls_key);
  }
  const unsigned pairs = (media.port_last - media.port_first + 1U) / 2U;
  media.ready_pairs = std::clamp(pairs, 2U, media.ready_pairs);
  media.backend = config_.media_backend;
  media.kernel = config_.media_kernel;
  if (config_.parameters.no_media_hangup_s > 0)
    media.kernel.adopted_silence_ms =
        std::min(3600U, static_cast<std::uint32_t>(config_.parameters.no_media_hangup_s)) * 1000;
  media.events_max = media_events_max;
  if (config_.recording) media.files_reserved = static_cast<unsigned>(config_.recording->calls_max);
  // Others must not fill the room of these: a spray over the ports is one event a second for each.
  media.event_kinds = kind_bit(MediaEvent::Kind::digit) | kind_bit(MediaEvent::Kind::loss_began);
  io::Loop* const first = seats_.front().loop.get();
  // On a relay thread, which waits for nobody. What a full loop does not take, the next second
  // does.
  media.on_events = [this, first] { (void)first->post([this] { deliver_media_events(); }); };
  auto relay = is_simulated() ? media::make_loop_relay(media, *seats_.front().loop)
                              : MediaRelay::create(media);
  if (!relay) return relay.error();
  relay_.emplace(std::move(*relay));
  for (const MediaBackendState& state : relay_->backends()) {
    const bool is_missed = !state.is_usable && state.backend == MediaBackend::kernel &&
                           !config_.media_kernel.interfaces.empty();
    if (state.is_running || is_missed)
      log_.write(is_missed ? LogLevel::warning : LogLevel::info, "media",
                 is_missed ? "a media backend could not be used" : "media is relayed",
                 {{"backend", media_backend_name(state.backend)}, {"detail", state.detail}});
  }
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
  const std::vector<MediaEvent> events = relay_->take_events(media_events_max);
  // What is left of other shards is not told of again.
  if (events.size() == media_events_max)
    (void)seats_.front().loop->post([this] { deliver_media_events(); });
  for (const MediaEvent& event : events) {
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

}  // namespace tandem
