#include "races/scene.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "tandem/rating.hpp"

namespace tandem::races {
namespace {

constexpr std::int64_t ms_us = 1000, second_us = 1'000'000;
constexpr const char* addresses[] = {"10.0.1.1:5060", "10.0.2.1:5060", "10.0.2.2:5060",
                                     "10.0.1.1:5070"};
constexpr const char* callee = "442079460000";
constexpr const char* poor_balance = "0.40";  // forty seconds
constexpr std::size_t packets_max = 600;      // of one call and all its repetitions

[[noreturn]] void die(const std::string& why) {
  std::fprintf(stderr, "%s\n", why.c_str());
  std::exit(2);
}

Amount money(std::string_view text) { return Amount::parse(text).value(); }

GatewayAddress address(const char* text, bool has_port) {
  const SocketAddress parsed = SocketAddress::parse(text).value();
  GatewayAddress one;
  one.text = text;
  one.network = IpNetwork::parse(parsed.ip.to_string()).value();
  if (has_port) one.port = parsed.port;
  return one;
}

SwitchConfig config_of(const Setting& setting) {
  SwitchConfig config;
  config.folder = "/switch";
  config.sip_listen = {{SipTransport::udp, SocketAddress::parse("10.0.0.1:5060").value()}};
  config.parameters.ringing_timeout_s = 60;
  config.parameters.session_timer_s = 90;
  for (const char* id : {"retail", "wholesale"}) {
    RateDeckConfig deck;
    deck.id = id;
    Rate rate;
    rate.price = money(std::string_view(id) == "retail" ? "0.60" : "0.30");
    deck.rates = {rate};
    config.provision.rate_decks.push_back(deck);
  }
  AccountConfig acme;
  acme.id = "acme";
  acme.balance = money("1000000");
  acme.rate_deck = "retail";
  AccountConfig clearing;
  clearing.id = "clearing";
  clearing.rate_deck = "wholesale";
  clearing.kind = AccountKind::clearing;
  config.provision.accounts = {acme, clearing};
  SipOptions sip;
  sip.rel100 = setting.rel100 ? Rel100Mode::allow : Rel100Mode::off;
  sip.session_timer = setting.timers ? SessionTimerMode::allow : SessionTimerMode::off;
  CustomerGateway customer;
  customer.id = "cust";
  customer.addresses = {address(addresses[0], false)};
  customer.account = "acme";
  customer.sip = sip;
  if (setting.refers) customer.sip.refer = ReferMode::local;
  if (setting.has_replacer) customer.sip.replaces = ReplacesMode::own;
  if (setting.has_keys) {
    customer.sip.transfer_keys = true;
    customer.hold_tone = "tone:ringback";
  }
  customer.max_call_s = MaxCallDuration{300, 300};
  config.provision.customer_gateways = {customer};
  for (int i = 1; i <= 2; ++i) {
    VendorGateway vendor;
    vendor.id = "v" + std::to_string(i);
    vendor.addresses = {address(addresses[i], true)};
    vendor.account = "clearing";
    vendor.priority = i;
    vendor.sip = sip;
    if (setting.challenges) vendor.auth = GatewayAuth{"user", "secret", ""};
    if (i == 2 && !setting.has_failover) vendor.prefixes = {"99"};
    if (i == 1 && setting.forks) vendor.prefixes = {"44"};
    config.provision.vendor_gateways.push_back(vendor);
  }
  if (setting.forks) {
    PhoneConfig phone;
    phone.id = phone.number = callee;
    phone.password = "secret";
    phone.account = "acme";
    phone.rel100 = sip.rel100;
    phone.forward.unconditional = {{"4411", -1}, {"9922", -1}};
    phone.forward.method = ForwardMethod::simultaneous;
    config.provision.phones = {phone};
  }
  return config;
}

std::uint64_t mix(std::uint64_t hash, std::string_view text) {
  for (const char c : text)
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  return (hash ^ 0xff) * 0x100000001b3U;
}

}  // namespace

std::vector<std::string> split_acts(std::string_view text) {
  std::vector<std::string> acts;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    if (end > at) acts.emplace_back(text.substr(at, end - at));
    at = end + 1;
  }
  return acts;
}

std::string join_acts(const std::vector<std::string>& acts) {
  std::string text;
  for (const std::string& act : acts)
    text += (text.empty() ? "" : " ") + act;
  return text;
}

const std::vector<Setting>& settings() {
  static const std::vector<Setting> all = [] {
    const std::vector<std::string> usual = {
        "",
        "b.180",
        "b.183",
        "b.200",
        "b.200 a.ack",
        "b.200 a.ack a.inv",
        "b.200 a.ack b.inv",
        "b.200 a.ack b.upd",
        "b.183 a.cancel",
    };
    std::vector<Setting> made;
    const auto add = [&](const char* name) -> Setting& {
      Setting& one = made.emplace_back();
      one.name = name;
      one.origins = usual;
      return one;
    };
    add("plain");
    add("late").has_offer = false;
    Setting& reliable = add("rel100");
    reliable.rel100 = true;
    reliable.origins = {"",
                        "b.183r",
                        "b.183r a.prack",
                        "b.180r b.183r",
                        "b.183r a.prack a.upd",
                        "b.200",
                        "b.183r b.200",
                        "b.183r a.prack b.200 a.ack"};
    Setting& late = add("late-rel100");
    late.has_offer = false;
    late.rel100 = true;
    late.origins = reliable.origins;
    add("timers").timers = true;
    Setting& failover = add("failover");
    failover.has_failover = true;
    failover.origins = {"",        "b.180",         "b.503", "m",
                        "m c.180", "m c.200 a.ack", "b.302", "b.180 a.cancel"};
    Setting& referring = add("refer");
    referring.refers = true;
    referring.origins = {"b.200 a.ack", "b.200 a.ack a.ref", "b.200 a.ack a.ref c.180",
                         "b.200 a.ack a.ref c.200", "b.200 a.ack a.ref c.200 b.ok"};
    Setting& attended = add("attended");
    attended.refers = attended.has_other_call = true;
    attended.origins = {"b.200 a.ack d.inv c.200 d.ack", "b.200 a.ack d.inv c.200 d.ack a.rep",
                        "b.200 a.ack d.inv c.200 d.ack a.rep b.ok",
                        "b.200 a.ack d.inv c.200 d.ack a.rep b.ok c.ok"};
    Setting& at_once = add("at-once");
    at_once.is_at_once = true;
    at_once.rel100 = true;
    at_once.origins = {"b.180 w", "b.200 w a.ack w", "b.183r w a.prack w", "b.200"};
    Setting& challenging = add("challenge");
    challenging.challenges = challenging.rel100 = true;
    challenging.origins = {"", "b.401", "b.183r b.401", "b.401 b.183r", "b.401 b.200 a.ack b.upd"};
    Setting& poor = add("poor");
    poor.is_poor = true;
    poor.refers = true;
    poor.origins = {"b.200", "b.200 a.ack", "b.200 a.ack a.inv", "b.200 a.ack a.ref c.200"};
    Setting& slow = add("slow-disk");
    slow.has_slow_disk = true;
    slow.rel100 = true;
    slow.origins = {"b.180", "b.200", "b.183r a.prack b.200"};
    Setting& forking = add("fork");
    forking.forks = true;
    forking.origins = {
        "",     "b.180", "b.183 c.183", "b.200", "b.200 c.200", "b.200 a.ack", "b.183 a.cancel",
        "b.486"};
    Setting& replacing = add("replaces");
    replacing.has_replacer = true;
    replacing.origins = {"b.180",
                         "b.200",
                         "b.200 a.ack d.inv",
                         "b.200 a.ack d.inv b.ok",
                         "b.200 a.ack d.inv b.ok d.ack",
                         "b.200 a.ack b.inv"};
    Setting& asking = add("keys");
    asking.has_keys = true;
    asking.origins = {"b.200 a.ack a.ask", "b.200 a.ack a.ask c.200",
                      "b.200 a.ack a.ask c.200 b.ok", "b.200 a.ack a.ask c.200 b.ok a.ok",
                      "b.200 a.ack a.ask c.200 b.ok a.ok a.two"};
    Setting& forking_at_once = add("fork-at-once");
    forking_at_once.forks = forking_at_once.is_at_once = forking_at_once.rel100 = true;
    forking_at_once.origins = {"b.180 w", "b.200 c.200", "b.183r w c.183r w", "b.200 a.cancel"};
    return made;
  }();
  return all;
}

const Setting* find_setting(std::string_view name) {
  for (const Setting& one : settings()) {
    if (one.name == name) return &one;
  }
  return nullptr;
}

struct Scene::Before {
  SwitchCounters counters;
  Amount customer, vendor;
};

Scene::Scene(const Setting& setting)
    : setting_(setting), world_([] {
        sim::WorldOptions options;
        options.link.delay_us = 0;
        return options;
      }()) {
  auto made = world_.create_switch(config_of(setting));
  if (!made) die(made.error().message);
  switch_ = std::move(*made);
  if (const auto started = switch_->start(); !started.ok()) die(started.error().message);
  for (const char* one : addresses) {
    auto wire = world_.add_raw_endpoint(one);
    if (!wire) die(wire.error().message);
    wires_.push_back(*wire);
  }
  const SocketAddress own = SocketAddress::parse("10.0.0.1:5060").value();
  world_.set_tap([this, own](const sim::DatagramView& view) {
    if (referee_ == nullptr) return;
    const bool is_ours = view.from == own;
    if (!is_ours && !(view.to == own)) return;
    const Packet packet = read_packet(view.bytes);
    if (is_verbose_) {
      const SocketAddress& other = is_ours ? view.to : view.from;
      std::printf("%10.3f  %s %s %s  cseq %u%s%s\n",
                  static_cast<double>(world_.monotonic_us() - began_us_) / 1e6,
                  other.to_string().c_str(), is_ours ? "<-" : "->", packet.label().c_str(),
                  packet.cseq, packet.to_tag.empty() ? "" : "  to ", packet.to_tag.c_str());
    }
    if (is_ours) {
      referee_->on_sent_by_switch(packet, {}, world_.monotonic_us());
    } else {
      referee_->on_received_by_switch(packet, {}, world_.monotonic_us());
    }
  });
  run_us(second_us);
}

Scene::~Scene() { switch_.reset(); }

Party* Scene::party(std::string_view name) {
  for (const auto& one : parties_) {
    if (one->name() == name) return one.get();
  }
  return nullptr;
}

void Scene::begin() {
  world_.clear_cdrs();
  parties_.clear();
  referee_ = std::make_unique<Referee>(setting_.is_at_once);
  short_waits_ = middle_waits_ = long_waits_ = losses_ = offs_ = ends_ = 0;
  began_us_ = world_.monotonic_us();
  const std::string call = std::to_string(++calls_);
  for (std::size_t i = 0; i < std::size(addresses); ++i) {
    const char* const names[] = {"a", "b", "c", "d"};
    Party::Settings one;
    one.name = names[i];
    one.address = addresses[i];
    one.call = call;
    const bool is_other = i == 3 && setting_.has_other_call;
    const bool is_calling = i == 0 || (i == 3 && setting_.has_replacer);
    one.callee = is_calling ? callee : is_other ? "990001" : "";
    one.has_offer = setting_.has_offer;
    one.has_rel100 = setting_.rel100;
    one.has_timer = setting_.timers;
    one.challenges = setting_.challenges;
    if (setting_.refers) one.refer_to = "sip:990555@10.0.0.1";
    if (setting_.has_keys && i == 0) one.ask_for = "990555";
    parties_.push_back(std::make_unique<Party>(one, *wires_[i]));
    Party* const owner = parties_.back().get();
    wires_[i]->clear();
    wires_[i]->on_datagram([owner](const sim::RawDatagram& datagram) { owner->receive(datagram); });
  }
  if (setting_.has_other_call) parties_[0]->set_other_call(*parties_[3]);
  if (setting_.has_replacer) parties_[3]->set_replaced(*parties_[0]);
}

std::vector<std::string> Scene::possible() const {
  std::vector<std::string> acts;
  for (const auto& one : parties_) {
    for (const std::string& act : one->acts()) {
      if (act == "inv" && one->name() == "d" && one->call_id().empty()) continue;
      acts.push_back(one->name() + "." + act);
    }
    if (one->name() == "d" && !setting_.has_other_call && !setting_.has_replacer) continue;
    if (one->history().empty()) continue;
    if (losses_ == 0 && !one->is_off()) acts.push_back(one->name() + ".lost");
    if (offs_ == 0) acts.push_back(one->name() + ".off");
  }
  if (setting_.is_at_once) acts.emplace_back("w");
  if (short_waits_ < 2) acts.emplace_back("t");
  if (long_waits_ < 2) acts.emplace_back("T");
  if (setting_.has_failover && middle_waits_ < 2) acts.emplace_back("m");
  if (ends_ == 0) acts.emplace_back("s.end");
  return acts;
}

std::uint64_t Scene::state() const {
  std::uint64_t hash = mix(0xcbf29ce484222325U, setting_.name);
  for (const auto& one : parties_) {
    hash = mix(hash, one->history());
    hash = mix(hash, one->is_off() ? "off" : "");
    hash = mix(hash, one->is_losing() ? "losing" : "");
  }
  const SwitchCounters counters = switch_->counters();
  for (const std::uint64_t count :
       {counters.calls_live, counters.dialogs_live, counters.transactions_live,
        std::uint64_t(short_waits_), std::uint64_t(long_waits_), std::uint64_t(middle_waits_),
        std::uint64_t(ends_), std::uint64_t(losses_)})
    hash = mix(hash, std::to_string(count));
  return hash;
}

void Scene::perform(const std::string& act) {
  if (is_verbose_) std::printf("--- %s\n", act.c_str());
  if (act == "w") return run_us(ms_us);
  if (act == "t") {
    ++short_waits_;
    return run_us(600 * ms_us);
  }
  if (act == "m") {
    ++middle_waits_;
    return run_us(12 * second_us);
  }
  if (act == "T") {
    ++long_waits_;
    return run_us(35 * second_us);
  }
  if (act == "s.end") {
    ++ends_;
    for (const CallView& view : switch_->calls())
      (void)switch_->disconnect(view.id);
    return run_us(ms_us);
  }
  Party* const one = party(act.substr(0, 1));
  const std::string what = act.substr(2);
  if (what == "lost") {
    ++losses_;
    return one->lose_next();
  }
  if (what == "off") {
    ++offs_;
    return one->turn_off();
  }
  one->act(what);
  if (setting_.is_at_once) return;
  run_us(ms_us);
}

bool Scene::is_idle() const {
  const SwitchCounters counters = switch_->counters();
  return counters.calls_live + counters.dialogs_live + counters.transactions_live +
             counters.journal_lag ==
         0;
}

void Scene::end(bool in_silence) {
  run_us(ms_us);
  world_.set_disk_full(false);
  if (in_silence) {
    for (const auto& one : parties_)
      one->turn_off();
  }
  run_us(ms_us);
  if (!in_silence) {
    for (int round = 0; round < 60; ++round) {
      bool has_acted = false;
      for (const auto& one : parties_) {
        if (!one->settle(round >= 10)) continue;
        has_acted = true;
        run_us(ms_us);
      }
      run_us(has_acted ? 50 * ms_us : second_us);
      if (!has_acted && round > 12 && is_idle()) break;
    }
  }
  for (int i = 0; i < 800 && !is_idle(); ++i)
    run_us(second_us);
  run_us(500 * ms_us);
}

Outcome Scene::play(const Chooser& choose) {
  Outcome outcome;
  begin();
  const auto balance = [this](const char* id) { return switch_->account(id)->balance; };
  if (setting_.is_poor) {
    const auto missing = Amount::subtract(money(poor_balance), balance("acme"));
    if (missing && !missing->is_zero() && !switch_->pay("acme", *missing)) die("no payment");
    run_us(ms_us);
  }
  const Before before{switch_->counters(), balance("acme"), balance("clearing")};
  const std::string first = setting_.has_offer ? "a.inv" : "a.inv0";
  outcome.played.push_back(first);
  if (is_verbose_) std::printf("--- %s\n", first.c_str());
  parties_[0]->act(first.substr(2));
  run_us(ms_us);
  world_.set_disk_full(setting_.has_slow_disk);
  for (;;) {
    std::vector<std::string> acts = possible();
    acts.emplace_back("rest");
    acts.emplace_back("silence");
    const auto next = choose(acts, state());
    const std::string act = next ? *next : "silence";
    outcome.played.push_back(act);
    if (act == "rest" || act == "silence") {
      if (is_verbose_) std::printf("--- %s\n", act.c_str());
      end(act == "silence");
      break;
    }
    perform(act);
  }
  referee_->on_rest(world_.monotonic_us());
  outcome.breaches = referee_->breaches();
  outcome.packets = referee_->packets();
  check_books(before, outcome);
  referee_.reset();
  return outcome;
}

Outcome Scene::replay(const std::vector<std::string>& acts) {
  std::size_t at = 0;
  return play(
      [&](const std::vector<std::string>& possible, std::uint64_t) -> std::optional<std::string> {
        while (at < acts.size()) {
          const std::string& act = acts[at++];
          if (std::find(possible.begin(), possible.end(), act) != possible.end()) return act;
        }
        return std::nullopt;
      });
}

void Scene::check_books(const Before& before, Outcome& outcome) {
  const auto breach = [&](const std::string& what) { outcome.breaches.push_back(what); };
  const SwitchCounters after = switch_->counters();
  const auto is_zero = [&](std::uint64_t count, const char* what) {
    if (count != 0) breach(std::to_string(count) + " " + what + " left");
  };
  is_zero(after.calls_live, "calls");
  is_zero(after.dialogs_live, "dialogs");
  is_zero(after.transactions_live, "transactions");
  is_zero(after.media_sessions_live, "media sessions");
  if (outcome.packets > packets_max) breach(std::to_string(outcome.packets) + " messages");
  for (const GatewayView& gateway : switch_->gateways())
    is_zero(static_cast<std::uint64_t>(gateway.calls), ("lines of " + gateway.id).c_str());
  for (const AccountState& state : switch_->accounts()) {
    if (!state.held.is_zero()) breach("money of " + state.settings.id + " held");
    is_zero(static_cast<std::uint64_t>(state.open_holds),
            ("holds of " + state.settings.id).c_str());
  }
  const std::uint64_t started = after.calls_started - before.counters.calls_started;
  const std::uint64_t ended = after.calls_ended - before.counters.calls_ended;
  const std::uint64_t answered = after.calls_answered - before.counters.calls_answered;
  if (started != ended)
    breach(std::to_string(started) + " calls started, " + std::to_string(ended) + " ended");
  const std::vector<Cdr>& cdrs = world_.cdrs();
  // A call that takes a place in another one is that one's.
  const bool may_be_other = setting_.has_replacer && !parties_[3]->history().empty();
  if (cdrs.size() != started && !(may_be_other && cdrs.size() + 1 == started))
    breach(std::to_string(cdrs.size()) + " records of " + std::to_string(started) + " calls");
  std::int64_t customer_pays = 0, vendor_gets = 0;
  std::uint64_t answered_records = 0;
  for (const Cdr& cdr : cdrs) {
    const auto wrong = [&](const std::string& what) {
      breach("record of " + cdr.call_id.substr(0, 1) + ": " + what);
    };
    const bool was_answered = cdr.answered_at_us != 0;
    if (was_answered) ++answered_records;
    customer_pays += cdr.customer.charge.units();
    if (cdr.vendor) vendor_gets += cdr.vendor->charge.units();
    if (cdr.end_reason == Reason::none) wrong("no reason");
    if (cdr.ended_at_us < cdr.started_at_us) wrong("it ended before it began");
    if (was_answered &&
        (cdr.answered_at_us < cdr.started_at_us || cdr.ended_at_us < cdr.answered_at_us))
      wrong("answered outside of its time");
    if (!was_answered && cdr.talk_time_ms != 0) wrong("talk without an answer");
    if (was_answered && cdr.talk_time_ms != (cdr.ended_at_us - cdr.answered_at_us) / 1000)
      wrong("talked " + std::to_string(cdr.talk_time_ms) + " ms, not " +
            std::to_string((cdr.ended_at_us - cdr.answered_at_us) / 1000));
    const std::int64_t seconds = billable_seconds(cdr.talk_time_ms, {});
    if (setting_.is_poor && customer_pays > money(poor_balance).units())
      wrong("it was paid with money that was not there");
    if (cdr.customer.charge.units() != seconds * money("0.01").units())
      wrong("charge " + cdr.customer.charge.to_string() + " for " + std::to_string(seconds) + " s");
    if (was_answered != (cdr.end_reason == Reason::NormalCallClearing) && !was_answered)
      wrong("cleared normally without an answer");
    // A transfer makes further calls with the same Call-ID.
    if (cdr.call_id != parties_[0]->call_id() || cdr.callee_in != callee) continue;
    const int said = referee_->answered_with(cdr.call_id);
    if (cdr.sip_status != said)
      wrong("status " + std::to_string(cdr.sip_status) + ", and the caller was told " +
            std::to_string(said));
    if (was_answered != (said >= 200 && said < 300))
      wrong(was_answered ? "answered, and the caller was refused" : "not answered, but it was");
  }
  if (answered_records != answered)
    breach(std::to_string(answered_records) + " answered records of " + std::to_string(answered));
  const auto balance = [this](const char* id) { return switch_->account(id)->balance; };
  if (before.customer.units() - balance("acme").units() != customer_pays)
    breach("the balance fell by something else than the charge");
  if (before.vendor.units() - balance("clearing").units() != vendor_gets)
    breach("the vendor's balance fell by something else than its charge");
}

}  // namespace tandem::races
