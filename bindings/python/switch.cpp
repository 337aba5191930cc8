// Configurations, the switch, its admin API.
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <tuple>

#include "cdr_queries.hpp"
#include "switch_object.hpp"
#include "tandem/log.hpp"
#include "tandem/shadow.hpp"

using namespace tandem;
using namespace pybind11::literals;

namespace binding {

template <class Item>
Mailbox<Item>::Mailbox(std::size_t items_max)
    : items_max_(items_max), descriptor_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (descriptor_ < 0) throw Failure{{ErrorCode::io, "no descriptor was free for a queue"}};
}
template <class Item>
Mailbox<Item>::~Mailbox() {
  ::close(descriptor_);
}
template <class Item>
void Mailbox<Item>::push(Item item) {
  const std::lock_guard lock(mutex_);
  if (is_closed_) return;
  if (items_.size() >= items_max_) {
    ++dropped_;
    return;
  }
  items_.push_back(std::move(item));
  if (items_.size() > 1) return;  // whoever reads takes all: one wake-up is enough
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(descriptor_, &one, sizeof one);
  changed_.notify_one();
}
template <class Item>
std::vector<Item> Mailbox<Item>::take_all() {
  std::uint64_t count = 0;
  const std::lock_guard lock(mutex_);
  [[maybe_unused]] const ssize_t got = ::read(descriptor_, &count, sizeof count);
  std::vector<Item> all(std::make_move_iterator(items_.begin()),
                        std::make_move_iterator(items_.end()));
  items_.clear();
  return all;
}
template <class Item>
std::optional<Item> Mailbox<Item>::wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return is_closed_ || !items_.empty(); });
  if (is_closed_) return std::nullopt;
  std::optional<Item> item(std::move(items_.front()));
  items_.pop_front();
  return item;
}
template <class Item>
void Mailbox<Item>::close() {
  const std::lock_guard lock(mutex_);
  is_closed_ = true;
  // Wakes readers of the descriptor too, so that nobody waits for an event that cannot come.
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(descriptor_, &one, sizeof one);
  changed_.notify_all();
}
template <class Item>
std::uint64_t Mailbox<Item>::dropped() const {
  const std::lock_guard lock(mutex_);
  return dropped_;
}

SwitchObject::SwitchObject(const SwitchOptions& given)
    : options(given),
      events(std::make_shared<Mailbox<Event>>(given.event_queue_max)),
      questions(std::make_shared<Mailbox<PolicyQuestion>>(given.event_queue_max)),
      lrn_questions(std::make_shared<Mailbox<LrnQuestion>>(given.event_queue_max)),
      log(std::make_shared<Mailbox<std::string>>(10'000)) {}

SwitchObject::~SwitchObject() { close(); }

SwitchHooks SwitchObject::hooks(std::function<void(const PolicyQuestion&)> policy,
                                std::function<void(const LrnQuestion&)> lrn) const {
  SwitchHooks hooks;
  hooks.event_queue_max = options.event_queue_max;
  hooks.on_event = [events = events](const Event& event) { events->push(event); };
  if (options.has_policy) {
    hooks.on_policy =
        policy ? std::move(policy) : [questions = questions](const PolicyQuestion& question) {
          questions->push(question);
        };
  }
  if (options.has_lrn) {
    hooks.on_lrn = lrn ? std::move(lrn) : [questions = lrn_questions](const LrnQuestion& question) {
      questions->push(question);
    };
  }
  hooks.policy_deadline_us = options.policy_deadline_us;
  hooks.policy_default = options.policy_default;
  if (options.log_level) {
    std::optional<LogLevel> level;
    for (const LogLevel known :
         {LogLevel::debug, LogLevel::info, LogLevel::warning, LogLevel::error})
      if (*options.log_level == log_level_name(known)) level = known;
    if (!level)
      throw Failure{
          {ErrorCode::invalid_argument, "log level \"" + *options.log_level + "\" does not exist"}};
    hooks.log_level = *level;
    hooks.log = [log = log](const LogRecord& record) { log->push(record.to_string()); };
  }
  for (const py::object& sink : options.cdr_sinks)
    hooks.cdr_sinks.push_back(make_python_sink(sink));
  return hooks;
}

std::shared_ptr<Switch> SwitchObject::open() const {
  if (!box_) throw Failure{{ErrorCode::wrong_state, "the switch was closed"}};
  return {box_, box_->body.get()};
}

std::unique_ptr<Switch> SwitchObject::release() {
  open();
  return std::move(std::exchange(box_, nullptr)->body);
}

void SwitchObject::close() {
  // Taken out first: what calls in from another thread meanwhile finds it closed.
  auto closing = std::exchange(box_, nullptr);
  unlocked([&] {
    if (closing) closing->body->close();
    closing.reset();
  });
  events->close();
  questions->close();
  lrn_questions->close();
  log->close();
}

namespace {

py::dict state_dict(const AccountState& s) {
  return py::dict(
      "id"_a = s.settings.id, "kind"_a = account_kind_name(s.settings.kind),
      "balance"_a = s.balance, "held"_a = s.held, "agent"_a = s.settings.agent,
      "largest_overdraft"_a = largest_overdraft(s), "limit_use_json"_a = limits_to_json(s.limits),
      "overdraft_limit"_a = s.settings.overdraft_limit, "currency"_a = s.settings.currency,
      "rate_deck"_a = s.settings.rate_deck, "locked"_a = s.settings.locked,
      "open_holds"_a = s.open_holds, "refused_calls"_a = s.refused_calls);
}

/// (created, replaced, removed); raises with every fault in its message.
std::tuple<std::size_t, std::size_t, std::size_t> change_objects(const SwitchObject& object,
                                                                 const ProvisionChange& change) {
  const auto body = object.open();
  const ProvisionOutcome outcome = unlocked([&] { return body->provisioning().change(change); });
  if (outcome.faults.empty()) return {outcome.created, outcome.replaced, outcome.removed};
  const bool is_list = change.puts.size() + change.removals.size() > 1;
  std::string message;
  for (const ProvisionFault& fault : outcome.faults) {
    if (!message.empty()) message += "; ";
    const std::string pointer =
        (is_list ? "/" + std::to_string(fault.index) : std::string()) + fault.pointer;
    message += pointer.empty() ? fault.message : pointer + ": " + fault.message;
  }
  throw Failure{{outcome.faults.front().code, message}};
}

ExplainRequest make_request(std::string from, std::string caller, std::string callee,
                            std::optional<std::int64_t> at_us, std::optional<std::string> lrn,
                            std::optional<std::string> callee_region,
                            std::optional<std::string> caller_region,
                            std::optional<std::string> forwarder) {
  ExplainRequest request{std::move(from), std::move(caller), std::move(callee), at_us};
  if (lrn || callee_region) request.lrn = LrnRecord{lrn.value_or(""), callee_region.value_or("")};
  request.caller_region = std::move(caller_region);
  request.forwarder = std::move(forwarder);
  return request;
}

/// Closed before its switch: the object keeps the switch alive. Not Held: what it keeps is given
/// back with the interpreter lock, only the server is closed without.
struct Admin {
  ~Admin() { close(); }
  void close() {
    unlocked([&] { body.reset(); });
  }
  std::shared_ptr<SwitchObject> served;
  std::optional<AdminServer> body;
};

}  // namespace

SwitchConfig usable(const ConfigReading& reading) {
  if (reading.errors.empty()) return reading.config;
  std::string message;
  for (const ConfigError& error : reading.errors)
    message += (message.empty() ? "" : "; ") + error.pointer + ": " + error.message;
  throw Failure{{ErrorCode::invalid_argument, message}};
}

void bind_switch(py::module_& m) {
  py::class_<ConfigReading>(m, "Config")
      .def_static(
          "from_json",
          [](const std::string& json, const std::string& folder) {
            return unlocked([&] { return read_config(json, folder); });
          },
          "json"_a, "folder"_a = ".")
      .def_static(
          "from_file",
          [](const std::string& path) { return unlocked([&] { return read_config_file(path); }); },
          "path"_a)
      .def_property_readonly("errors",
                             [](const ConfigReading& reading) {
                               std::vector<std::pair<std::string, std::string>> errors;
                               for (const ConfigError& e : reading.errors)
                                 errors.emplace_back(e.pointer, e.message);
                               return errors;
                             })
      .def_property_readonly("warnings",
                             [](const ConfigReading& reading) {
                               std::vector<std::pair<std::string, std::string>> warnings;
                               for (const ConfigError& e : config_warnings(reading.config))
                                 warnings.emplace_back(e.pointer, e.message);
                               return warnings;
                             })
      .def("unresolved_names", [](const ConfigReading& reading) {
        std::vector<std::pair<std::string, std::string>> names;
        for (const ConfigError& e : unlocked([&] { return unresolved_names(reading.config); }))
          names.emplace_back(e.pointer, e.message);
        return names;
      });
  m.def("config_reference", &config_reference_markdown);
  m.def(
      "explain_json",
      [](const ConfigReading& reading, std::string from, std::string caller, std::string callee,
         std::optional<std::int64_t> at_us, std::optional<std::string> lrn,
         std::optional<std::string> callee_region, std::optional<std::string> caller_region,
         std::optional<std::string> forwarder) {
        const SwitchConfig config = usable(reading);
        const auto request = make_request(std::move(from), std::move(caller), std::move(callee),
                                          at_us, std::move(lrn), std::move(callee_region),
                                          std::move(caller_region), std::move(forwarder));
        return take(unlocked([&] { return explain(config, request); }));
      },
      "config"_a, "from_"_a, "caller"_a, "callee"_a, "at_us"_a, "lrn"_a, "callee_region"_a,
      "caller_region"_a, "forwarder"_a);
  m.def(
      "explain_table", [](const std::string& answer) { return take(explain_table(answer)); },
      "answer"_a);
  m.def(
      "shadow_table",
      [](const std::string& report, std::size_t rows_max) {
        return take(shadow_table(report, rows_max));
      },
      "report"_a, "rows_max"_a);
  m.def(
      "rate_json",
      [](const ConfigReading& reading, const std::string& deck, const std::string& callee,
         std::int64_t seconds, std::optional<std::int64_t> at_us) {
        const SwitchConfig config = usable(reading);
        return take(unlocked([&] { return rate(config, deck, callee, seconds, at_us); }));
      },
      "config"_a, "deck"_a, "callee"_a, "seconds"_a, "at_us"_a);
  m.def(
      "query_ledger_json",
      [](const ConfigReading& reading, const LedgerQuery& query) {
        const SwitchConfig config = usable(reading);
        return json_texts(take(unlocked([&] { return query_ledger(config, query); })));
      },
      "config"_a, "query"_a);
  m.def(
      "rerate_json",
      [](const ConfigReading& reading, const RerateQuery& query) {
        const SwitchConfig config = usable(reading);
        return to_json(take(unlocked([&] { return rerate_history(config, query); })));
      },
      "config"_a, "query"_a);
  m.def(
      "reconcile_json",
      [](const ConfigReading& reading, std::string gateway, const std::string& side,
         std::int64_t since_us, std::int64_t until_us, const std::string& csv,
         const std::string& columns, std::int64_t time_tolerance_s, std::int64_t clock_offset_s,
         std::int64_t duration_tolerance_s, Amount charge_tolerance, std::int32_t line_hundredths,
         std::size_t rows_max) {
        const SwitchConfig config = usable(reading);
        const PartnerLayout layout = take(parse_partner_layout(columns));
        ReconcileRules rules;
        rules.time_tolerance_s = time_tolerance_s;
        rules.clock_offset_s = clock_offset_s;
        rules.duration_tolerance_s = duration_tolerance_s;
        rules.charge_tolerance = charge_tolerance;
        rules.line_hundredths = line_hundredths;
        rules.rows_max = rows_max;
        const InterconnectQuery query{std::move(gateway), side != "customer", since_us, until_us};
        return to_json(
            take(unlocked([&] { return reconcile(config, query, csv, layout, rules); })));
      },
      "config"_a, "gateway"_a, "side"_a, "since_us"_a, "until_us"_a, "csv"_a, "columns"_a,
      "time_tolerance_s"_a = 60, "clock_offset_s"_a = 0, "duration_tolerance_s"_a = 1,
      "charge_tolerance"_a = "0", "line_hundredths"_a = 100, "rows_max"_a = 1000);
  m.def(
      "query_corrections_json",
      [](const ConfigReading& reading, const CorrectionQuery& query) {
        const SwitchConfig config = usable(reading);
        return json_texts(take(unlocked([&] { return query_corrections(config, query); })));
      },
      "config"_a, "query"_a);
  m.def(
      "check_ledger_json",
      [](const ConfigReading& reading) {
        const SwitchConfig config = usable(reading);
        return to_json(take(unlocked([&] { return check_ledger(config); })));
      },
      "config"_a);

  py::class_<CallView>(m, "CallView")
      .def_readonly("id", &CallView::id)
      .def_readonly("call_id", &CallView::call_id)
      .def_readonly("customer_gateway", &CallView::customer_gateway)
      .def_readonly("vendor_gateway", &CallView::vendor_gateway)
      .def_readonly("caller", &CallView::caller)
      .def_readonly("callee", &CallView::callee)
      .def_property_readonly("state", [](const CallView& c) { return call_state_name(c.state); })
      .def_readonly("started_at_us", &CallView::started_at_us)
      .def_readonly("answered_at_us", &CallView::answered_at_us)
      .def_readonly("media_relayed", &CallView::media_relayed)
      .def_readonly("media_caller", &CallView::media_caller)
      .def_readonly("media_callee", &CallView::media_callee)
      .def_property_readonly("codec", [](const CallView& c) { return c.codecs.negotiated; })
      .def_property_readonly("caller_codecs", [](const CallView& c) { return c.codecs.caller; })
      .def_property_readonly("callee_codecs", [](const CallView& c) { return c.codecs.callee; })
      .def_readonly("recording", &CallView::recording)
      .def("to_json", [](const CallView& c) { return to_json(c); });

  py::class_<ServiceReport>(m, "ServiceReport")
      .def_property_readonly("what",
                             [](const ServiceReport& r) { return service_report_name(r.what); })
      .def_property_readonly("why",
                             [](const ServiceReport& r) { return service_reason_name(r.why); })
      .def_readonly("digits", &ServiceReport::digits)
      .def_readonly("is_complete", &ServiceReport::is_complete)
      .def_readonly("sip_status", &ServiceReport::sip_status);

  py::class_<RegistrationChange>(m, "RegistrationChange")
      .def_readonly("phone", &RegistrationChange::phone)
      .def_readonly("state", &RegistrationChange::state)
      .def_readonly("address", &RegistrationChange::address)
      .def_readonly("product", &RegistrationChange::product)
      .def_readonly("dids", &RegistrationChange::dids)
      .def_property_readonly("source",
                             [](const RegistrationChange& c) { return c.source.to_string(); })
      .def_property_readonly("local",
                             [](const RegistrationChange& c) { return c.local.to_string(); })
      .def_readonly("sequence", &RegistrationChange::sequence)
      .def_property_readonly("is_online", &RegistrationChange::is_online);

  py::class_<Event>(m, "Event")
      .def_property_readonly("kind", [](const Event& e) { return event_kind_name(e.kind); })
      .def_readonly("at_us", &Event::at_us)
      .def_readonly("call", &Event::call)
      .def_readonly("cdr", &Event::cdr)
      .def_readonly("text", &Event::text)
      .def_property_readonly(
          "digit", [](const Event& e) { return std::string(e.digit != '\0' ? 1 : 0, e.digit); })
      .def_readonly("side", &Event::side)
      .def_readonly("duration_ms", &Event::duration_ms)
      .def_readonly("service", &Event::service)
      .def_readonly("gateway", &Event::gateway)
      .def_readonly("registration", &Event::registration)
      .def("to_json", [](const Event& e) { return to_json(e); })
      .def("__repr__", [](const Event& e) {
        return std::string("<Event ") + event_kind_name(e.kind) + ' ' + e.call.callee + '>';
      });

  py::class_<FeedItem>(m, "FeedItem")
      .def_readonly("lost", &FeedItem::lost)
      .def_property_readonly("event", [](const FeedItem& item) -> std::optional<Event> {
        if (item.event == nullptr) return std::nullopt;
        return *item.event;
      });
  py::class_<EventFeed, std::shared_ptr<EventFeed>>(m, "EventFeed")
      .def(
          "take",
          [](EventFeed& feed, std::size_t items_max, std::int64_t wait_us) {
            return unlocked([&] { return feed.take(items_max, wait_us); });
          },
          "items_max"_a, "wait_us"_a)
      .def_property_readonly("is_over", &EventFeed::is_over)
      .def_property_readonly("lost", &EventFeed::lost);

  py::class_<PolicyQuestion>(m, "PolicyQuestion")
      .def_readonly("token", &PolicyQuestion::token)
      .def_readonly("call_id", &PolicyQuestion::call_id)
      .def_readonly("customer_gateway", &PolicyQuestion::customer_gateway)
      .def_readonly("account", &PolicyQuestion::account)
      .def_readonly("caller", &PolicyQuestion::caller)
      .def_readonly("callee", &PolicyQuestion::callee)
      .def_readonly("caller_in", &PolicyQuestion::caller_in)
      .def_readonly("callee_in", &PolicyQuestion::callee_in)
      .def_property_readonly("source", [](const PolicyQuestion& q) { return q.source; });

  py::class_<ServeOrder>(m, "ServeOrder")
      .def(py::init([](bool answers, bool is_billed) {
             return ServeOrder{answers, is_billed};
           }),
           py::kw_only(), "answers"_a = true, "is_billed"_a = true)
      .def_readonly("answers", &ServeOrder::answers)
      .def_readonly("is_billed", &ServeOrder::is_billed);

  py::class_<PolicyAnswer>(m, "PolicyAnswer")
      .def(py::init([](bool allow, int sip_status, std::string caller, std::string callee,
                       std::vector<std::string> vendors, std::optional<ServeOrder> serve) {
             return PolicyAnswer{
                 allow, sip_status, std::move(caller), std::move(callee), std::move(vendors),
                 serve};
           }),
           "allow"_a = true, py::kw_only(), "sip_status"_a = 403, "caller"_a = "", "callee"_a = "",
           "vendor_gateways"_a = py::list(), "serve"_a = py::none())
      .def_readonly("serve", &PolicyAnswer::serve)
      .def_readonly("allow", &PolicyAnswer::allow)
      .def_readonly("sip_status", &PolicyAnswer::sip_status)
      .def_readonly("caller", &PolicyAnswer::caller)
      .def_readonly("callee", &PolicyAnswer::callee)
      .def_readonly("vendor_gateways", &PolicyAnswer::vendor_gateways);

  py::class_<LedgerQuery>(m, "LedgerQuery")
      .def(py::init([](std::string account, std::optional<std::int64_t> since_us,
                       std::optional<std::int64_t> until_us, std::optional<std::int64_t> before_id,
                       std::size_t limit) {
             return LedgerQuery{std::move(account), since_us, until_us, before_id, limit};
           }),
           "account"_a, py::kw_only(), "since_us"_a = py::none(), "until_us"_a = py::none(),
           "before_id"_a = py::none(), "limit"_a = 100);

  py::class_<CorrectionQuery>(m, "CorrectionQuery")
      .def(py::init([](std::uint64_t record_id, std::string account,
                       std::optional<std::int64_t> since_us, std::optional<std::int64_t> until_us,
                       std::optional<std::uint64_t> before_id, std::size_t limit) {
             return CorrectionQuery{record_id, std::move(account), since_us,
                                    until_us,  before_id,          limit};
           }),
           py::kw_only(), "record_id"_a = 0, "account"_a = "", "since_us"_a = py::none(),
           "until_us"_a = py::none(), "before_id"_a = py::none(), "limit"_a = 100);
  py::class_<RerateQuery>(m, "RerateQuery")
      .def(py::init([](std::string deck, const std::string& side, std::string account,
                       std::optional<std::int64_t> since_us, std::optional<std::int64_t> until_us,
                       bool includes_settled) {
             if (side != "customer" && side != "vendor")
               throw Failure{{ErrorCode::invalid_argument,
                              "side \"" + side + "\" is neither customer nor vendor"}};
             return RerateQuery{std::move(deck), side == "vendor", std::move(account),
                                since_us,        until_us,         includes_settled};
           }),
           "deck"_a, py::kw_only(), "side"_a = "customer", "account"_a = "",
           "since_us"_a = py::none(), "until_us"_a = py::none(), "includes_settled"_a = false);

  py::class_<LrnQuestion>(m, "LrnQuestion")
      .def_readonly("token", &LrnQuestion::token)
      .def_readonly("resolver", &LrnQuestion::resolver)
      .def_readonly("number", &LrnQuestion::number);

  py::class_<LrnAnswer>(m, "LrnAnswer")
      .def(py::init([](std::string lrn, std::string region, bool failed) {
             return LrnAnswer{failed, {std::move(lrn), std::move(region)}};
           }),
           "lrn"_a = "", "region"_a = "", py::kw_only(), "failed"_a = false)
      .def_property_readonly("lrn", [](const LrnAnswer& a) { return a.record.lrn; })
      .def_property_readonly("region", [](const LrnAnswer& a) { return a.record.region; })
      .def_readonly("failed", &LrnAnswer::failed);

  py::class_<LrnCounters>(m, "LrnCounters")
      .def_readonly("resolver", &LrnCounters::resolver)
      .def_readonly("cache_hits", &LrnCounters::cache_hits)
      .def_readonly("coalesced", &LrnCounters::coalesced)
      .def_readonly("questions", &LrnCounters::questions)
      .def_readonly("answers", &LrnCounters::answers)
      .def_readonly("timeouts", &LrnCounters::timeouts)
      .def_readonly("failures", &LrnCounters::failures)
      .def_readonly("overflows", &LrnCounters::overflows)
      .def_readonly("under_way", &LrnCounters::under_way)
      .def_readonly("cache_entries", &LrnCounters::cache_entries);

  py::class_<NameCounters>(m, "NameCounters")
      .def_readonly("questions", &NameCounters::questions)
      .def_readonly("answers", &NameCounters::answers)
      .def_readonly("timeouts", &NameCounters::timeouts)
      .def_readonly("failures", &NameCounters::failures)
      .def_readonly("strays", &NameCounters::strays)
      .def_readonly("truncated", &NameCounters::truncated)
      .def_readonly("names", &NameCounters::names)
      .def_readonly("names_failing", &NameCounters::names_failing);

  py::class_<SwitchCounters>(m, "SwitchCounters")
      .def_readonly("calls_started", &SwitchCounters::calls_started)
      .def_readonly("calls_answered", &SwitchCounters::calls_answered)
      .def_readonly("calls_ended", &SwitchCounters::calls_ended)
      .def_readonly("calls_refused", &SwitchCounters::calls_refused)
      .def_readonly("calls_live", &SwitchCounters::calls_live)
      .def_readonly("events_dropped", &SwitchCounters::events_dropped)
      .def_readonly("datagrams_received", &SwitchCounters::datagrams_received)
      .def_readonly("malformed", &SwitchCounters::malformed)
      .def_readonly("retransmissions", &SwitchCounters::retransmissions)
      .def_readonly("tls_handshakes", &SwitchCounters::tls_handshakes)
      .def_readonly("tls_failures", &SwitchCounters::tls_failures)
      .def_readonly("tls_refused", &SwitchCounters::tls_refused)
      .def_readonly("websockets_opened", &SwitchCounters::websockets_opened)
      .def_readonly("websocket_failures", &SwitchCounters::websocket_failures)
      .def_readonly("overload_refused", &SwitchCounters::overload_refused)
      .def_readonly("overload_dropped", &SwitchCounters::overload_dropped)
      .def_readonly("overload_waited", &SwitchCounters::overload_waited)
      .def_readonly("overload_loss_percent", &SwitchCounters::overload_loss_percent)
      .def_readonly("connections_live", &SwitchCounters::connections_live)
      .def_readonly("connections_refused", &SwitchCounters::connections_refused)
      .def_readonly("connections_unused", &SwitchCounters::connections_unused)
      .def_readonly("connections_deaf", &SwitchCounters::connections_deaf)
      .def_readonly("sip_memory_bytes", &SwitchCounters::sip_memory_bytes)
      .def_readonly("traces_running", &SwitchCounters::traces_running)
      .def_readonly("hep_sent", &SwitchCounters::hep_sent)
      .def_readonly("hep_dropped", &SwitchCounters::hep_dropped)
      .def_readonly("journal_records", &SwitchCounters::journal_records)
      .def_readonly("journal_lag", &SwitchCounters::journal_lag)
      .def_readonly("journal_writable", &SwitchCounters::journal_writable)
      .def_readonly("is_draining", &SwitchCounters::is_draining)
      .def_readonly("calls_by_worker", &SwitchCounters::calls_by_worker)
      .def_readonly("dialogs_live", &SwitchCounters::dialogs_live)
      .def_readonly("transactions_live", &SwitchCounters::transactions_live)
      .def_readonly("media_sessions_live", &SwitchCounters::media_sessions_live)
      .def_readonly("event_feeds", &SwitchCounters::event_feeds)
      .def_readonly("feed_events_lost", &SwitchCounters::feed_events_lost)
      .def_readonly("lrn", &SwitchCounters::lrn)
      .def_readonly("dns", &SwitchCounters::dns)
      .def_property_readonly(
          "sinks", [](const SwitchCounters& counters) { return sink_states(counters.sinks); });

  py::class_<SwitchOptions>(m, "SwitchOptions")
      .def(py::init<>())
      .def_readwrite("event_queue_max", &SwitchOptions::event_queue_max)
      .def_readwrite("log_level", &SwitchOptions::log_level)
      .def_readwrite("has_policy", &SwitchOptions::has_policy)
      .def_readwrite("policy_deadline_us", &SwitchOptions::policy_deadline_us)
      .def_readwrite("policy_default", &SwitchOptions::policy_default)
      .def_readwrite("has_lrn", &SwitchOptions::has_lrn)
      .def_readwrite("cdr_sinks", &SwitchOptions::cdr_sinks);

  py::class_<SwitchObject, std::shared_ptr<SwitchObject>>(m, "Switch")
      .def(
          py::init([](const ConfigReading& reading, const SwitchOptions& options) {
            const SwitchConfig config = usable(reading);
            auto object = std::make_shared<SwitchObject>(options);
            SwitchHooks hooks = object->hooks();
            object->adopt(take(unlocked([&] { return Switch::create(config, std::move(hooks)); })));
            return object;
          }),
          "config"_a, "options"_a)
      .def("start",
           [](SwitchObject& s) {
             const auto body = s.open();
             take(unlocked([&] { return body->start(); }));
           })
      .def("drain", [](SwitchObject& s) { s.open()->drain(); })
      .def(
          "wait_idle",
          [](SwitchObject& s, std::int64_t timeout_us) {
            const auto body = s.open();
            take(unlocked([&] { return body->wait_idle(timeout_us); }));
          },
          "timeout_us"_a)
      .def("close", &SwitchObject::close)
      .def(
          "reload",
          [](SwitchObject& s, const ConfigReading& reading) {
            const auto body = s.open();
            const SwitchConfig config = usable(reading);
            return take(unlocked([&] { return body->reload(config); }));
          },
          "config"_a)
      .def(
          "watch",
          [](SwitchObject& s, std::size_t queue_events) {
            return std::make_shared<EventFeed>(take(s.open()->watch(queue_events)));
          },
          "queue_events"_a)
      .def(
          "objects_json",
          [](SwitchObject& s, const std::string& kind) {
            const auto body = s.open();
            std::vector<std::string> texts;
            for (auto& object : take(body->provisioning().objects(kind)))
              texts.push_back(std::move(object.json));
            return texts;
          },
          "kind"_a)
      .def(
          "object_json",
          [](SwitchObject& s, const std::string& kind, const std::string& id) {
            return take(s.open()->provisioning().object(kind, id)).json;
          },
          "kind"_a, "id"_a)
      .def(
          "change_objects",
          [](SwitchObject& s, const std::vector<std::array<std::string, 3>>& puts,
             const std::vector<std::pair<std::string, std::string>>& removals, bool dry_run) {
            ProvisionChange change;
            change.dry_run = dry_run;
            for (const auto& [kind, id, json] : puts)
              change.puts.push_back({kind, id, json, std::nullopt});
            for (const auto& [kind, id] : removals)
              change.removals.push_back({kind, id});
            return change_objects(s, change);
          },
          "puts"_a, "removals"_a, "dry_run"_a)
      .def(
          "objects_csv",
          [](SwitchObject& s, const std::string& kind) {
            return objects_to_csv(kind, take(s.open()->provisioning().objects(kind)));
          },
          "kind"_a)
      .def(
          "put_objects_csv",
          [](SwitchObject& s, const std::string& kind, const std::string& csv, bool dry_run) {
            ProvisionChange change;
            change.puts = take(objects_from_csv(kind, csv));
            change.dry_run = dry_run;
            return change_objects(s, change);
          },
          "kind"_a, "csv"_a, "dry_run"_a)
      .def(
          "put_rates",
          [](SwitchObject& s, const std::string& deck, const std::string& csv,
             std::optional<std::int64_t> valid_from_us, std::optional<std::string> memo,
             bool dry_run) {
            ProvisionChange change;
            change.puts.push_back({"rate_decks", deck, "", csv});
            change.valid_from_us = valid_from_us;
            change.memo = std::move(memo);
            change.dry_run = dry_run;
            return change_objects(s, change);
          },
          "deck"_a, "csv"_a, "valid_from_us"_a, "memo"_a, "dry_run"_a)
      .def("provision_progress",
           [](SwitchObject& s) {
             const ProvisionProgress progress = s.open()->provisioning().progress();
             return py::make_tuple(provision_step_name(progress.step), progress.done_bytes,
                                   progress.total_bytes);
           })
      .def(
          "rates_csv",
          [](SwitchObject& s, const std::string& deck) {
            const auto body = s.open();
            return take(unlocked([&] { return body->provisioning().rates_csv(deck); }));
          },
          "deck"_a)
      .def(
          "deck_versions_json",
          [](SwitchObject& s, const std::string& deck) {
            std::vector<std::string> texts;
            for (const DeckVersion& version : take(s.open()->provisioning().deck_versions(deck)))
              texts.push_back(to_json(version));
            return texts;
          },
          "deck"_a)
      .def(
          "roll_back_deck_json",
          [](SwitchObject& s, const std::string& deck, std::optional<std::uint64_t> number) {
            const auto body = s.open();
            return to_json(
                take(unlocked([&] { return body->provisioning().roll_back_deck(deck, number); })));
          },
          "deck"_a, "number"_a)
      .def(
          "schedule_deck_json",
          [](SwitchObject& s, const std::string& deck, std::uint64_t number,
             std::optional<std::int64_t> at_us) {
            const auto body = s.open();
            return to_json(take(
                unlocked([&] { return body->provisioning().schedule_deck(deck, number, at_us); })));
          },
          "deck"_a, "number"_a, "at_us"_a)
      .def(
          "deck_diff_json",
          [](SwitchObject& s, const std::string& deck, std::uint64_t from, std::uint64_t to,
             std::size_t rows_max) {
            const auto body = s.open();
            return take(
                unlocked([&] { return body->provisioning().deck_diff(deck, from, to, rows_max); }));
          },
          "deck"_a, "from_"_a, "to"_a, "rows_max"_a)
      .def("live_calls", [](SwitchObject& s) { return s.open()->live_calls(); })
      .def("calls",
           [](SwitchObject& s) {
             const auto body = s.open();
             return unlocked([&] { return body->calls(); });
           })
      .def(
          "record",
          [](SwitchObject& s, std::uint64_t id, bool on) {
            const auto body = s.open();
            take(unlocked([&] { return body->record(id, on); }));
          },
          "id"_a, "on"_a = true)
      .def(
          "disconnect",
          [](SwitchObject& s, std::uint64_t id) {
            const auto body = s.open();
            take(unlocked([&] { return body->disconnect(id); }));
          },
          "id"_a)
      .def(
          "answer_call",
          [](SwitchObject& s, std::uint64_t id) {
            const auto body = s.open();
            take(unlocked([&] { return body->answer_call(id); }));
          },
          "id"_a)
      .def(
          "play",
          [](SwitchObject& s, std::uint64_t id, const Sounds& source, bool repeats,
             bool stops_at_key) {
            const auto body = s.open();
            take(unlocked([&]() -> Result<void> {
              const auto list = load_sounds(source);
              if (!list) return list.error();
              return body->play(id, {*list, repeats, stops_at_key});
            }));
          },
          "id"_a, "source"_a, py::kw_only(), "repeats"_a = false, "stops_at_key"_a = false)
      .def(
          "stop",
          [](SwitchObject& s, std::uint64_t id) {
            const auto body = s.open();
            take(unlocked([&] { return body->stop(id); }));
          },
          "id"_a)
      .def(
          "collect",
          [](SwitchObject& s, std::uint64_t id, std::size_t min, std::size_t max,
             std::int64_t first_key_ms, std::int64_t next_key_ms, const std::string& terminators,
             bool drops_earlier) {
            const auto body = s.open();
            const CollectOrder order{min,         max,         first_key_ms,
                                     next_key_ms, terminators, drops_earlier};
            take(unlocked([&] { return body->collect(id, order); }));
          },
          "id"_a, py::kw_only(), "min"_a = 1, "max"_a = 1, "first_key_ms"_a = 10'000,
          "next_key_ms"_a = 5'000, "terminators"_a = "#", "drops_earlier"_a = false)
      .def(
          "bridge",
          [](SwitchObject& s, std::uint64_t id, const std::string& callee,
             const std::string& caller, const std::string& customer,
             const std::vector<std::string>& vendors) {
            const auto body = s.open();
            const BridgeOrder order{callee, caller, customer, vendors};
            take(unlocked([&] { return body->bridge(id, order); }));
          },
          "id"_a, "callee"_a, py::kw_only(), "caller"_a = "", "customer"_a = "",
          "vendor_gateways"_a = py::list())
      .def(
          "hang_up",
          [](SwitchObject& s, std::uint64_t id, int q850_cause) {
            const auto body = s.open();
            take(unlocked([&] { return body->hang_up(id, q850_cause); }));
          },
          "id"_a, "q850_cause"_a = 16)
      .def(
          "answer",
          [](SwitchObject& s, std::uint64_t token, const PolicyAnswer& answer) {
            const auto body = s.open();
            unlocked([&] { body->answer(token, answer); });
          },
          "token"_a, "answer"_a)
      .def(
          "answer_lrn",
          [](SwitchObject& s, std::uint64_t token, const LrnAnswer& answer) {
            const auto body = s.open();
            unlocked([&] { body->answer_lrn(token, answer); });
          },
          "token"_a, "answer"_a)
      .def("accounts",
           [](SwitchObject& s) {
             py::list all;
             for (const AccountState& state : s.open()->accounts())
               all.append(state_dict(state));
             return all;
           })
      .def(
          "account",
          [](SwitchObject& s, const std::string& id) -> py::object {
            const auto state = s.open()->account(id);
            if (!state) return py::none();
            return state_dict(*state);
          },
          "id"_a)
      .def(
          "pay",
          [](SwitchObject& s, const std::string& account, Amount amount, const std::string& memo) {
            const auto body = s.open();
            return take(unlocked([&] { return body->pay(account, amount, memo); }));
          },
          "account"_a, "amount"_a, "memo"_a = "")
      .def(
          "book",
          [](SwitchObject& s, const std::string& account, Amount amount, const std::string& kind,
             const std::string& memo, const std::string& reference, const std::string& key,
             bool covered_only) {
            const auto body = s.open();
            const Booking booking{account,
                                  amount,
                                  !kind.empty()          ? take(ledger_kind_from_name(kind))
                                  : amount.is_negative() ? LedgerKind::deduction
                                                         : LedgerKind::payment,
                                  memo,
                                  reference,
                                  key,
                                  covered_only};
            const auto answer = take(unlocked([&] { return body->book(booking); }));
            return py::dict("amount"_a = answer.amount, "balance"_a = answer.balance,
                            "entry"_a = answer.id, "repeated"_a = answer.is_repeated);
          },
          "account"_a, "amount"_a, "kind"_a, "memo"_a, "reference"_a, "key"_a, "covered_only"_a)
      .def(
          "packages_json",
          [](SwitchObject& s, const std::string& account) {
            const auto body = s.open();
            return json_texts(take(unlocked([&] { return body->packages(account); })));
          },
          "account"_a)
      .def(
          "phone_packages_json",
          [](SwitchObject& s, const std::string& number) {
            const auto body = s.open();
            return json_texts(take(unlocked([&] { return body->phone_packages(number); })));
          },
          "number"_a)
      .def(
          "ledger_json",
          [](SwitchObject& s, const LedgerQuery& query) {
            const auto body = s.open();
            return json_texts(take(unlocked([&] { return body->ledger(query); })));
          },
          "query"_a)
      .def("check_ledger_json",
           [](SwitchObject& s) {
             const auto body = s.open();
             return to_json(take(unlocked([&] { return body->check_ledger(); })));
           })
      .def(
          "margin_report_json",
          [](SwitchObject& s, const std::string& sell, const std::vector<std::string>& buys,
             std::optional<std::int64_t> at_us) {
            const auto body = s.open();
            return to_json(take(unlocked([&] { return body->margin_report(sell, buys, at_us); })));
          },
          "sell"_a, "buys"_a, "at_us"_a)
      .def(
          "rerate_json",
          [](SwitchObject& s, const RerateQuery& query) {
            const auto body = s.open();
            return to_json(take(unlocked([&] { return body->rerate_history(query); })));
          },
          "query"_a)
      .def(
          "apply_rerate_json",
          [](SwitchObject& s, const RerateQuery& query, std::string reason, std::string author,
             bool dry_run) {
            const auto body = s.open();
            const RerateApplication application{std::move(reason), std::move(author), dry_run};
            return to_json(take(unlocked([&] { return body->apply_rerate(query, application); })));
          },
          "query"_a, "reason"_a, "author"_a, "dry_run"_a)
      .def(
          "start_rerate",
          [](SwitchObject& s, const RerateQuery& query, std::string reason, std::string author,
             bool dry_run) {
            const auto body = s.open();
            const RerateApplication application{std::move(reason), std::move(author), dry_run};
            return take(unlocked([&] { return body->start_rerate(query, application); }));
          },
          "query"_a, "reason"_a, "author"_a, "dry_run"_a)
      .def(
          "rerate_job_json",
          [](SwitchObject& s, std::uint64_t id) {
            const auto body = s.open();
            return to_json(take(unlocked([&] { return body->rerate_job(id); })));
          },
          "id"_a)
      .def(
          "cancel_rerate",
          [](SwitchObject& s, std::uint64_t id) {
            const auto body = s.open();
            take(unlocked([&] { return body->cancel_rerate(id); }));
          },
          "id"_a)
      .def(
          "interconnect_totals_json",
          [](SwitchObject& s, std::string gateway, const std::string& side, std::int64_t since_us,
             std::int64_t until_us) {
            const auto body = s.open();
            const InterconnectQuery query{std::move(gateway), side != "customer", since_us,
                                          until_us};
            return to_json(take(unlocked([&] { return body->interconnect_totals(query); })));
          },
          "gateway"_a, "side"_a, "since_us"_a, "until_us"_a)
      .def("peer_checks_json", [](SwitchObject& s) { return json_texts(s.open()->peer_checks()); })
      .def(
          "record_call_json",
          [](SwitchObject& s, const std::string& json) {
            const auto body = s.open();
            const auto call = take(parse_external_call(json));
            return to_json(take(unlocked([&] { return body->record_call(call); })));
          },
          "json"_a)
      .def(
          "correct_json",
          [](SwitchObject& s, const std::string& json) {
            const auto body = s.open();
            const auto request = take(parse_correction(json));
            return to_json(take(unlocked([&] { return body->correct(request); })));
          },
          "json"_a)
      .def(
          "corrections_json",
          [](SwitchObject& s, const CorrectionQuery& query) {
            const auto body = s.open();
            return json_texts(take(unlocked([&] { return body->corrections(query); })));
          },
          "query"_a)
      .def("gateways",
           [](SwitchObject& s) {
             py::list all;
             for (const GatewayView& g : s.open()->gateways()) {
               py::list addresses;
               for (const GatewayAddressView& a : g.addresses) {
                 addresses.append(py::dict(
                     "address"_a = a.address.to_string(), "online"_a = a.is_online,
                     "disabled_ms"_a = a.disabled_ms, "name"_a = a.name,
                     "transport"_a = a.transport, "rank"_a = a.rank, "weight"_a = a.weight));
               }
               py::list names;
               for (const GatewayNameView& n : g.names) {
                 names.append(py::dict("name"_a = n.name, "addresses"_a = n.addresses,
                                       "known"_a = n.is_known, "stale"_a = n.is_stale,
                                       "ttl_ms"_a = n.ttl_ms, "age_ms"_a = n.age_ms,
                                       "error"_a = n.error));
               }
               all.append(py::dict("id"_a = g.id, "is_vendor"_a = g.is_vendor, "calls"_a = g.calls,
                                   "line_limit"_a = g.line_limit, "locked"_a = g.locked,
                                   "addresses"_a = addresses, "names"_a = names,
                                   "registration"_a = gateway_registration_name(g.registration),
                                   "online"_a = g.is_registered));
             }
             return all;
           })
      .def("phones_json",
           [](SwitchObject& s) {
             std::vector<std::string> all;
             for (const PhoneView& phone : s.open()->phones())
               all.push_back(to_json(phone));
             return all;
           })
      .def("suspensions_json",
           [](SwitchObject& s) {
             std::vector<std::string> all;
             for (const SuspensionView& one : s.open()->suspensions())
               all.push_back(to_json(one));
             return all;
           })
      .def(
          "lift_suspension",
          [](SwitchObject& s, const std::string& user, const std::string& address) {
            take(s.open()->lift_suspension(user, address));
          },
          "user"_a, "address"_a)
      .def("phone_notices_json", [](SwitchObject& s) { return to_json(s.open()->phone_notices()); })
      .def("notify_phones", [](SwitchObject& s) { return take(s.open()->notify_phones()); })
      .def("counters", [](SwitchObject& s) { return s.open()->counters(); })
      .def(
          "cdrs",
          [](SwitchObject& s, const CdrQuery& query) {
            const auto body = s.open();
            return take(unlocked([&] { return body->cdrs(query); }));
          },
          "query"_a)
      .def(
          "cdr_iterator",
          [](SwitchObject& s, const CdrQuery& query) {
            const auto body = s.open();
            return cdr_iterator(
                unlocked([&] { return body->cdr_cursor(query, query.before_record_id); }));
          },
          "query"_a)
      .def(
          "call_report",
          [](SwitchObject& s, const std::string& name, const CdrQuery& query,
             std::optional<std::size_t> limit, const std::map<std::string, std::string>& options) {
            const auto body = s.open();
            const CallReportRequest request = report_request(name, query, limit, options);
            return take(unlocked([&] { return body->call_report(request); }));
          },
          "name"_a, "query"_a, "limit"_a, "options"_a)
      .def(
          "explain_json",
          [](SwitchObject& s, std::string from, std::string caller, std::string callee,
             std::optional<std::int64_t> at_us, std::optional<std::string> lrn,
             std::optional<std::string> callee_region, std::optional<std::string> caller_region,
             std::optional<std::string> forwarder) {
            const auto body = s.open();
            const auto request = make_request(std::move(from), std::move(caller), std::move(callee),
                                              at_us, std::move(lrn), std::move(callee_region),
                                              std::move(caller_region), std::move(forwarder));
            return take(unlocked([&] { return body->explain(request); }));
          },
          "from_"_a, "caller"_a, "callee"_a, "at_us"_a, "lrn"_a, "callee_region"_a,
          "caller_region"_a, "forwarder"_a)
      .def("stored_days_json",
           [](SwitchObject& s) {
             const auto body = s.open();
             return json_list(take(unlocked([&] { return body->stored_days(); })));
           })
      .def(
          "start_maintenance",
          [](SwitchObject& s, const std::string& act, const std::string& day) {
            const auto body = s.open();
            const MaintenanceAct wanted = maintenance_act(act);
            take(unlocked([&] { return body->start_maintenance(wanted, day); }));
          },
          "act"_a, "day"_a)
      .def(
          "maintenance_notes_json",
          [](SwitchObject& s, const MaintenanceNoteQuery& query) {
            const auto body = s.open();
            return json_texts(take(unlocked([&] { return body->maintenance_notes(query); })));
          },
          "query"_a)
      .def(
          "dispute_record_json",
          [](SwitchObject& s, const std::string& json) {
            const auto body = s.open();
            const auto request = take(parse_dispute(json));
            return to_json(take(unlocked([&] { return body->dispute_record(request); })));
          },
          "json"_a)
      .def(
          "resolve_dispute_json",
          [](SwitchObject& s, const std::string& json) {
            const auto body = s.open();
            const auto request = take(parse_dispute(json));
            return to_json(take(unlocked([&] { return body->resolve_dispute(request); })));
          },
          "json"_a)
      .def(
          "disputes_json",
          [](SwitchObject& s, const DisputeQuery& query) {
            const auto body = s.open();
            return json_texts(take(unlocked([&] { return body->disputes(query); })));
          },
          "query"_a)
      .def("maintenance_json",
           [](SwitchObject& s) {
             const auto body = s.open();
             return to_json(unlocked([&] { return body->maintenance(); }));
           })
      .def(
          "start_shadow",
          [](SwitchObject& s, const std::string& plan) {
            const auto body = s.open();
            take(unlocked([&] { return body->start_shadow(plan); }));
          },
          "plan"_a)
      .def("shadow_report",
           [](SwitchObject& s) {
             const auto body = s.open();
             return take(unlocked([&] { return body->shadow_report(); }));
           })
      .def("stop_shadow",
           [](SwitchObject& s) {
             const auto body = s.open();
             return take(unlocked([&] { return body->stop_shadow(); }));
           })
      .def(
          "start_trace",
          [](SwitchObject& s, const std::string& request) {
            const auto body = s.open();
            const auto wanted = take(read_trace_request(request));
            return to_json(take(unlocked([&] { return body->start_trace(wanted); })));
          },
          "request"_a)
      .def(
          "stop_trace",
          [](SwitchObject& s, std::uint64_t id) {
            const auto body = s.open();
            return to_json(take(unlocked([&] { return body->stop_trace(id); })));
          },
          "id"_a)
      .def(
          "remove_trace",
          [](SwitchObject& s, std::uint64_t id) {
            const auto body = s.open();
            take(unlocked([&] { return body->remove_trace(id); }));
          },
          "id"_a)
      .def("traces_json",
           [](SwitchObject& s) {
             const auto body = s.open();
             return json_texts(unlocked([&] { return body->traces(); }));
           })
      .def(
          "traced_calls_json",
          [](SwitchObject& s, std::uint64_t id) {
            const auto body = s.open();
            return json_texts(take(unlocked([&] { return body->traced_calls(id); })));
          },
          "id"_a)
      .def(
          "traced_call",
          [](SwitchObject& s, std::uint64_t id, std::uint64_t call, const std::string& format) {
            const auto body = s.open();
            const auto traced = take(unlocked([&] { return body->traced_call(id, call); }));
            return py::bytes(take(format_traced_call(traced, format)));
          },
          "id"_a, "call"_a, "format"_a)
      .def(
          "listening",
          [](SwitchObject& s) {
            std::vector<std::string> all;
            for (const ListenConfig& l : s.open()->listening())
              all.push_back(std::string(transport_name(l.transport)) + ":" + l.address.to_string());
            return all;
          })
      .def("fileno", [](SwitchObject& s) { return s.events->descriptor(); })
      .def("take_events", [](SwitchObject& s) { return s.events->take_all(); })
      .def("take_log", [](SwitchObject& s) { return s.log->take_all(); })
      .def_property_readonly("events_dropped", [](SwitchObject& s) { return s.events->dropped(); })
      .def("next_question",
           [](SwitchObject& s) {
             const auto questions = s.questions;
             return unlocked([&] { return questions->wait(); });
           })
      .def("next_lrn_question", [](SwitchObject& s) {
        const auto questions = s.lrn_questions;
        return unlocked([&] { return questions->wait(); });
      });

  py::class_<Admin>(m, "AdminServer")
      .def(py::init([](const ConfigReading& reading, const std::shared_ptr<SwitchObject>& served) {
             const SwitchConfig config = usable(reading);
             const auto body = served->open();
             auto server = take(unlocked([&] { return AdminServer::create(config, *body); }));
             auto admin = std::make_unique<Admin>();
             admin->served = served;
             admin->body.emplace(std::move(server));
             return admin;
           }),
           "config"_a, "switch"_a)
      .def_property_readonly(
          "address", [](const Admin& a) { return a.body ? a.body->address() : SocketAddress(); })
      .def("close", &Admin::close)
      .def("__enter__", [](py::object self) { return self; })
      .def("__exit__", [](Admin& a, const py::args&) { a.close(); });
}

}  // namespace binding
