// The switch and its hooks.
#include "tandem/switch.hpp"

#include "capi/config.hpp"
#include "capi/values.hpp"
#include "tandem/shadow.hpp"
#include "tandem/sim.hpp"

using namespace tandem;
using namespace tandem::capi;

template <>
inline constexpr std::size_t tandem::capi::first_struct_bytes<tandem_switch_counters> =
    offsetof(tandem_switch_counters, dialogs_live);
template <>
inline constexpr std::size_t tandem::capi::first_struct_bytes<tandem_switch_hooks> =
    offsetof(tandem_switch_hooks, on_lrn);
template <>
inline constexpr std::size_t tandem::capi::first_struct_bytes<tandem_policy_answer> =
    offsetof(tandem_policy_answer, serve);

struct tandem_event_feed {
  EventFeed body;
};

namespace {

static_assert(TANDEM_EVENT_RELOADED == static_cast<int>(Event::Kind::reloaded));
static_assert(TANDEM_EVENT_GATEWAY == static_cast<int>(Event::Kind::gateway));
static_assert(TANDEM_EVENT_PHONE == static_cast<int>(Event::Kind::phone));
static_assert(TANDEM_EVENT_CALL_DIGIT == static_cast<int>(Event::Kind::call_digit));
static_assert(TANDEM_EVENT_TRACE == static_cast<int>(Event::Kind::trace));
static_assert(TANDEM_EVENT_CALL_SERVICE == static_cast<int>(Event::Kind::call_service));
static_assert(TANDEM_SERVICE_BRIDGE_FAILED == static_cast<int>(ServiceReport::What::bridge_failed));
static_assert(TANDEM_SERVICE_WHY_NEXT_KEY == static_cast<int>(ServiceReport::Why::next_key));
static_assert(TANDEM_TRANSPORT_TCP == static_cast<int>(SipTransport::tcp));
static_assert(TANDEM_TRANSPORT_TLS == static_cast<int>(SipTransport::tls));
static_assert(TANDEM_TRANSPORT_WS == static_cast<int>(SipTransport::ws));
static_assert(TANDEM_TRANSPORT_WSS == static_cast<int>(SipTransport::wss));

Result<PolicyAnswer> read_answer(const tandem_policy_answer* given) {
  PolicyAnswer answer;
  if (given == nullptr) return answer;
  const auto read = read_struct(given, "tandem_policy_answer");
  if (!read) return read.error();
  answer.allow = read->refuse == 0;
  if (read->sip_status != 0) answer.sip_status = read->sip_status;
  answer.caller = copy(read->caller);
  answer.callee = copy(read->callee);
  const auto vendors = read_texts(read->vendor_gateways, read->vendor_gateways_count,
                                  "vendor_gateways", answer.vendor_gateways);
  if (!vendors) return vendors.error();
  if (read->serve < TANDEM_SERVE_NO || read->serve > TANDEM_SERVE_EARLY)
    return Error{ErrorCode::invalid_argument,
                 "serve " + std::to_string(read->serve) + " is none of TANDEM_SERVE_*"};
  if (read->serve != TANDEM_SERVE_NO)
    answer.serve = ServeOrder{read->serve == TANDEM_SERVE_ANSWERED, read->is_unbilled == 0};
  if (answer.sip_status < 400 || answer.sip_status > 699)
    return Error{ErrorCode::invalid_argument,
                 "sip_status " + std::to_string(answer.sip_status) + " is outside of 400..699"};
  return answer;
}

void deliver(const Event& event, tandem_event_fn function, void* user) {
  const std::string json = to_json(event);
  std::optional<CdrView> cdr;
  if (event.cdr) cdr.emplace(*event.cdr);
  tandem_service_report service{};
  if (event.service) {
    service = {sizeof(tandem_service_report),
               static_cast<int32_t>(event.service->what),
               static_cast<int32_t>(event.service->why),
               event.service->digits.c_str(),
               event.service->is_complete ? 1 : 0,
               event.service->sip_status};
  }
  const tandem_event out{
      sizeof(tandem_event), static_cast<int32_t>(event.kind),  event.at_us,
      event.call.id,        event.call.call_id.c_str(),        cdr ? cdr->get() : nullptr,
      json.c_str(),         event.service ? &service : nullptr};
  function(&out, user);
}

void deliver(const PolicyQuestion& question, tandem_policy_fn function, void* user) {
  const tandem_policy_question out{
      sizeof(tandem_policy_question), question.token,
      question.call_id.c_str(),       question.customer_gateway.c_str(),
      question.account.c_str(),       question.caller.c_str(),
      question.callee.c_str(),        question.caller_in.c_str(),
      question.callee_in.c_str(),     to_c(question.source)};
  function(&out, user);
}

void deliver(const LrnQuestion& question, tandem_lrn_fn function, void* user) {
  const tandem_lrn_question out{sizeof(tandem_lrn_question), question.token,
                                question.resolver.c_str(), question.number.c_str()};
  function(&out, user);
}

/// NULL: the number could not be looked up.
Result<LrnAnswer> read_lrn_answer(const tandem_lrn_answer* given) {
  LrnAnswer answer;
  answer.failed = given == nullptr;
  if (given == nullptr) return answer;
  const auto read = read_struct(given, "tandem_lrn_answer");
  if (!read) return read.error();
  answer.failed = read->failed != 0;
  answer.record = {copy(read->lrn), copy(read->region)};
  if (!answer.record.lrn.empty() && !is_lrn(answer.record.lrn))
    return Error{ErrorCode::invalid_argument, "lrn \"" + answer.record.lrn + "\" is none"};
  if (answer.record.region.size() > lrn_region_bytes_max)
    return Error{ErrorCode::invalid_argument,
                 "region of " + std::to_string(answer.record.region.size()) +
                     " bytes is longer than " + std::to_string(lrn_region_bytes_max)};
  return answer;
}

/// Takes `user` and the sinks, also when it fails. The hooks own `user`: it is freed with the last
/// of them. `mark` tells the callbacks of this switch from those of others.
Result<SwitchHooks> read_hooks(const tandem_switch_hooks* given,
                               const std::shared_ptr<void>& mark) {
  SwitchHooks hooks;
  if (given == nullptr) return hooks;
  const auto read = read_struct(given, "tandem_switch_hooks");
  if (!read) return read.error();
  const auto user = own_user(read->user, read->user_free);
  std::vector<std::shared_ptr<CdrSink>> sinks;
  for (std::size_t i = 0; read->cdr_sinks != nullptr && i < read->cdr_sinks_count; ++i)
    sinks.push_back(take_sink(read->cdr_sinks[i]));
  for (const auto& sink : sinks)
    if (sink == nullptr)
      return Error{ErrorCode::invalid_argument, "a member of cdr_sinks was NULL"};
  if (read->cdr_sinks == nullptr && read->cdr_sinks_count > 0)
    return Error{ErrorCode::invalid_argument, "cdr_sinks was NULL with a count"};
  const auto level = read_log_level(read->log_level);
  if (!level) return level.error();
  auto policy_default = read_answer(read->policy_default);
  if (!policy_default) return policy_default.error();

  hooks.log = make_log_sink(read->log, user);
  hooks.log_level = *level;
  if (read->on_event != nullptr)
    hooks.on_event = [function = read->on_event, user, mark](const Event& event) {
      const CallbackScope scope(mark.get());
      deliver(event, function, user.get());
    };
  if (read->event_queue_max != 0) hooks.event_queue_max = read->event_queue_max;
  if (read->on_policy != nullptr)
    hooks.on_policy = [function = read->on_policy, user, mark](const PolicyQuestion& question) {
      const CallbackScope scope(mark.get());
      deliver(question, function, user.get());
    };
  if (read->on_lrn != nullptr)
    hooks.on_lrn = [function = read->on_lrn, user, mark](const LrnQuestion& question) {
      const CallbackScope scope(mark.get());
      deliver(question, function, user.get());
    };
  if (read->policy_deadline_us != 0) hooks.policy_deadline_us = read->policy_deadline_us;
  hooks.policy_default = std::move(*policy_default);
  hooks.cdr_sinks = std::move(sinks);
  return hooks;
}

template <class Maker>
int create(const tandem_config* config, const tandem_switch_hooks* hooks, tandem_switch** out,
           Maker&& make) {
  // First of all, so that `user` and the sinks are taken whatever else is wrong.
  std::shared_ptr<void> mark = std::make_shared<char>();
  auto taken = read_hooks(hooks, mark);
  TANDEM_CAPI_TRY(taken);
  TANDEM_CAPI_NOT_NULL(out);
  const auto usable = usable_config(config);
  TANDEM_CAPI_TRY(usable);
  auto handle = std::make_unique<tandem_switch>();
  auto created = make(**usable, std::move(*taken));
  TANDEM_CAPI_TRY(created);
  handle->body = std::move(*created);
  handle->owner_mark = std::move(mark);
  *out = handle.release();
  return TANDEM_OK;
}

int reload(tandem_switch* object, const tandem_config* config, tandem_text** restart_keys) {
  TANDEM_CAPI_NOT_NULL(object);
  const auto usable = usable_config(config);
  TANDEM_CAPI_TRY(usable);
  const auto keys = object->body->reload(**usable);
  TANDEM_CAPI_TRY(keys);
  if (restart_keys == nullptr) return TANDEM_OK;
  std::string lines;
  for (const std::string& key : *keys)
    lines += key + '\n';
  return give(std::move(lines), restart_keys);
}

}  // namespace

int tandem::capi::create_switch_in(sim::World& world, const tandem_config* config,
                                   const tandem_switch_hooks* hooks, tandem_switch** out) {
  return create(config, hooks, out, [&](const SwitchConfig& usable, SwitchHooks taken) {
    return world.create_switch(usable, std::move(taken));
  });
}

extern "C" {

int tandem_switch_create(const tandem_config* config, const tandem_switch_hooks* hooks,
                         tandem_switch** out) {
  return guarded([&]() -> int { return create(config, hooks, out, &Switch::create); });
}

int tandem_switch_create_json(const char* json, const char* folder,
                              const tandem_switch_hooks* hooks, tandem_switch** out) {
  return guarded([&]() -> int {
    std::optional<tandem_config> config;
    if (json != nullptr)
      config = tandem_config{read_config(json, folder == nullptr ? "." : folder)};
    return create(config ? &*config : nullptr, hooks, out, &Switch::create);
  });
}

int tandem_switch_create_file(const char* path, const tandem_switch_hooks* hooks,
                              tandem_switch** out) {
  return guarded([&]() -> int {
    std::optional<tandem_config> config;
    if (path != nullptr) config = tandem_config{read_config_file(path)};
    return create(config ? &*config : nullptr, hooks, out, &Switch::create);
  });
}

int tandem_switch_start(tandem_switch* object) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    TANDEM_CAPI_TRY(object->body->start());
    return TANDEM_OK;
  });
}

int tandem_switch_drain(tandem_switch* object) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    object->body->drain();
    return TANDEM_OK;
  });
}

int tandem_switch_wait_idle(tandem_switch* object, int64_t timeout_us) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    if (timeout_us < 0)
      return fail(ErrorCode::invalid_argument,
                  "timeout_us " + std::to_string(timeout_us) + " was given");
    TANDEM_CAPI_TRY(object->body->wait_idle(timeout_us));
    return TANDEM_OK;
  });
}

int tandem_switch_close(tandem_switch* object) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    if (CallbackScope::is_inside(object->owner_mark.get()))
      return fail(ErrorCode::wrong_thread, "the switch was closed in a callback of its own");
    object->body->close();
    return TANDEM_OK;
  });
}

void tandem_switch_destroy(tandem_switch* object) { delete object; }

int tandem_switch_reload(tandem_switch* object, const tandem_config* config,
                         tandem_text** restart_keys) {
  return guarded([&]() -> int { return reload(object, config, restart_keys); });
}

int tandem_switch_reload_json(tandem_switch* object, const char* json, const char* folder,
                              tandem_text** restart_keys) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(json);
    const tandem_config config{read_config(json, folder == nullptr ? "." : folder)};
    return reload(object, &config, restart_keys);
  });
}

int tandem_switch_watch(tandem_switch* object, size_t queue_events, tandem_event_feed** out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    TANDEM_CAPI_NOT_NULL(out);
    auto feed = queue_events == 0 ? object->body->watch() : object->body->watch(queue_events);
    TANDEM_CAPI_TRY(feed);
    *out = new tandem_event_feed{std::move(*feed)};
    return TANDEM_OK;
  });
}

int tandem_event_feed_take(tandem_event_feed* feed, size_t events_max, int64_t wait_us,
                           tandem_event_fn function, void* user, uint64_t* lost) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(feed);
    TANDEM_CAPI_NOT_NULL(function);
    if (events_max == 0) return fail(ErrorCode::invalid_argument, "events_max was 0");
    if (wait_us < 0)
      return fail(ErrorCode::invalid_argument, "wait_us " + std::to_string(wait_us) + " was given");
    const std::vector<FeedItem> items = feed->body.take(events_max, wait_us);
    if (items.empty() && feed->body.is_over())
      return fail(ErrorCode::wrong_state, "the switch was closed and every event was taken");
    uint64_t missing = 0;
    for (const FeedItem& item : items) {
      missing += item.lost;
      if (item.event != nullptr) deliver(*item.event, function, user);
    }
    if (lost != nullptr) *lost = missing;
    return TANDEM_OK;
  });
}

void tandem_event_feed_destroy(tandem_event_feed* feed) { delete feed; }

size_t tandem_switch_live_calls(const tandem_switch* object) {
  if (object == nullptr) return 0;
  return guarded_value(size_t{0}, [&] { return object->body->live_calls(); });
}

int tandem_switch_calls(const tandem_switch* object, tandem_text** json) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    TANDEM_CAPI_NOT_NULL(json);
    return give(json_array(object->body->calls()), json);
  });
}

int tandem_switch_disconnect(tandem_switch* object, uint64_t id) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    TANDEM_CAPI_TRY(object->body->disconnect(id));
    return TANDEM_OK;
  });
}

int tandem_switch_record(tandem_switch* object, uint64_t id, int32_t on) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    TANDEM_CAPI_TRY(object->body->record(id, on != 0));
    return TANDEM_OK;
  });
}

int tandem_switch_answer(tandem_switch* object, uint64_t token,
                         const tandem_policy_answer* answer) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    const auto read = read_answer(answer);
    TANDEM_CAPI_TRY(read);
    object->body->answer(token, *read);
    return TANDEM_OK;
  });
}

int tandem_switch_answer_lrn(tandem_switch* object, uint64_t token,
                             const tandem_lrn_answer* answer) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    const auto read = read_lrn_answer(answer);
    TANDEM_CAPI_TRY(read);
    object->body->answer_lrn(token, *read);
    return TANDEM_OK;
  });
}

int tandem_switch_accounts(const tandem_switch* object, tandem_text** json) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    TANDEM_CAPI_NOT_NULL(json);
    return give(json_array(object->body->accounts()), json);
  });
}

int tandem_switch_account(const tandem_switch* object, const char* id, tandem_text** json) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    TANDEM_CAPI_NOT_NULL(json);
    const auto account = object->body->account(view(id));
    if (!account) return fail(ErrorCode::not_found, "account \"" + copy(id) + "\" does not exist");
    return give(to_json(*account), json);
  });
}

int tandem_switch_pay(tandem_switch* object, const char* account, int64_t units, const char* memo,
                      int64_t* balance_units) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    const auto balance = object->body->pay(view(account), Amount::from_units(units), view(memo));
    TANDEM_CAPI_TRY(balance);
    if (balance_units != nullptr) *balance_units = balance->units();
    return TANDEM_OK;
  });
}

int tandem_switch_gateways(const tandem_switch* object, tandem_text** json) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    TANDEM_CAPI_NOT_NULL(json);
    return give(json_array(object->body->gateways()), json);
  });
}

int tandem_switch_phones(const tandem_switch* object, tandem_text** json) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    TANDEM_CAPI_NOT_NULL(json);
    return give(json_array(object->body->phones()), json);
  });
}

int tandem_switch_phone(const tandem_switch* object, const char* number, tandem_text** json) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    TANDEM_CAPI_NOT_NULL(json);
    const auto phone = object->body->phone(view(number));
    if (!phone) return fail(ErrorCode::not_found, "phone \"" + copy(number) + "\" does not exist");
    return give(to_json(*phone), json);
  });
}

int tandem_switch_suspensions(const tandem_switch* object, tandem_text** json) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    TANDEM_CAPI_NOT_NULL(json);
    return give(json_array(object->body->suspensions()), json);
  });
}

int tandem_switch_lift_suspension(tandem_switch* object, const char* user, const char* address) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    TANDEM_CAPI_TRY(object->body->lift_suspension(view(user), view(address)));
    return TANDEM_OK;
  });
}

int tandem_switch_phone_notices(const tandem_switch* object, tandem_text** json) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    TANDEM_CAPI_NOT_NULL(json);
    return give(to_json(object->body->phone_notices()), json);
  });
}

int tandem_switch_notify_phones(tandem_switch* object, size_t* phones) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    const auto count = object->body->notify_phones();
    TANDEM_CAPI_TRY(count);
    if (phones != nullptr) *phones = *count;
    return TANDEM_OK;
  });
}

int tandem_switch_sinks(const tandem_switch* object, tandem_text** json) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    TANDEM_CAPI_NOT_NULL(json);
    return give(sinks_json(object->body->counters().sinks), json);
  });
}

int tandem_switch_read_counters(const tandem_switch* object, tandem_switch_counters* out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    TANDEM_CAPI_TRY(check_result_struct(out, "tandem_switch_counters"));
    const SwitchCounters c = object->body->counters();
    LrnCounters lrn;
    for (const LrnCounters& resolver : c.lrn) {
      lrn.cache_hits += resolver.cache_hits;
      lrn.coalesced += resolver.coalesced;
      lrn.questions += resolver.questions;
      lrn.answers += resolver.answers;
      lrn.timeouts += resolver.timeouts;
      lrn.failures += resolver.failures;
      lrn.overflows += resolver.overflows;
      lrn.under_way += resolver.under_way;
      lrn.cache_entries += resolver.cache_entries;
    }
    write_struct(out, tandem_switch_counters{0,
                                             c.calls_started,
                                             c.calls_answered,
                                             c.calls_ended,
                                             c.calls_refused,
                                             c.calls_live,
                                             c.events_dropped,
                                             c.datagrams_received,
                                             c.malformed,
                                             c.retransmissions,
                                             c.journal_records,
                                             c.journal_lag,
                                             c.journal_writable ? 1 : 0,
                                             c.is_draining ? 1 : 0,
                                             c.dialogs_live,
                                             c.transactions_live,
                                             c.media_sessions_live,
                                             c.event_feeds,
                                             c.feed_events_lost,
                                             lrn.cache_hits,
                                             lrn.coalesced,
                                             lrn.questions,
                                             lrn.answers,
                                             lrn.timeouts,
                                             lrn.failures,
                                             lrn.overflows,
                                             lrn.under_way,
                                             lrn.cache_entries,
                                             c.registrants_online,
                                             c.registers_received,
                                             c.registers_refused,
                                             c.registers_dropped,
                                             c.tls_handshakes,
                                             c.tls_failures,
                                             c.tls_refused,
                                             c.websockets_opened,
                                             c.websocket_failures,
                                             c.dns.questions,
                                             c.dns.answers,
                                             c.dns.timeouts,
                                             c.dns.failures,
                                             c.dns.strays,
                                             c.dns.truncated,
                                             c.dns.names,
                                             c.dns.names_failing,
                                             c.traces_running,
                                             c.hep_sent,
                                             c.hep_dropped,
                                             c.overload_refused,
                                             c.overload_dropped,
                                             c.overload_waited,
                                             c.overload_loss_percent,
                                             c.connections_live,
                                             c.connections_refused,
                                             c.connections_unused,
                                             c.connections_deaf,
                                             c.sip_memory_bytes});
    return TANDEM_OK;
  });
}

int tandem_switch_cdrs(const tandem_switch* object, const tandem_cdr_query* query,
                       tandem_text** json_lines) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    TANDEM_CAPI_NOT_NULL(json_lines);
    const auto read = read_cdr_query(query);
    TANDEM_CAPI_TRY(read);
    const auto cdrs = object->body->cdrs(*read);
    TANDEM_CAPI_TRY(cdrs);
    return give(to_json_lines(*cdrs), json_lines);
  });
}

int tandem_switch_explain(const tandem_switch* object, const tandem_explain_request* request,
                          tandem_text** json) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    TANDEM_CAPI_NOT_NULL(json);
    const auto read = read_explain_request(request);
    TANDEM_CAPI_TRY(read);
    return give(object->body->explain(*read), json);
  });
}

int tandem_switch_start_shadow(tandem_switch* object, const char* plan) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    TANDEM_CAPI_NOT_NULL(plan);
    TANDEM_CAPI_TRY(object->body->start_shadow(plan));
    return TANDEM_OK;
  });
}

int tandem_switch_shadow_report(const tandem_switch* object, tandem_text** json) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    TANDEM_CAPI_NOT_NULL(json);
    return give(object->body->shadow_report(), json);
  });
}

int tandem_switch_stop_shadow(tandem_switch* object, tandem_text** json) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    auto report = object->body->stop_shadow();
    TANDEM_CAPI_TRY(report);
    return json == nullptr ? TANDEM_OK : give(std::move(report), json);
  });
}

int tandem_shadow_table(const char* json, size_t rows_max, tandem_text** table) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(json);
    TANDEM_CAPI_NOT_NULL(table);
    return give(shadow_table(json, rows_max), table);
  });
}

int tandem_switch_listening(const tandem_switch* object, size_t index, tandem_address* address,
                            int32_t* transport) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    TANDEM_CAPI_NOT_NULL(address);
    const auto all = object->body->listening();
    if (index >= all.size())
      return fail(ErrorCode::not_found, "address " + std::to_string(index) + " of " +
                                            std::to_string(all.size()) + " was asked for");
    *address = to_c(all[index].address);
    if (transport != nullptr) *transport = static_cast<int32_t>(all[index].transport);
    return TANDEM_OK;
  });
}

}  // extern "C"
