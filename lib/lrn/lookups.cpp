#include "lrn/lookups.hpp"

#include <algorithm>
#include <utility>

#include "lrn/enum_resolver.hpp"
#include "lrn/http_resolver.hpp"
#include "lrn/number.hpp"
#include "lrn/sip_resolver.hpp"

namespace tandem::lrn {
namespace {

/// The host is asked; its answers come to Lookups::answer().
class HostResolver final : public Resolver {
 public:
  HostResolver(const LrnResolverConfig& config, const Lookups::AskHost& ask)
      : config_(config), ask_(ask) {}
  [[nodiscard]] bool ask(std::uint64_t id, std::string_view number, unsigned) override {
    return ask_({id, config_.id, std::string(number)});
  }
  void forget(std::uint64_t) override {}

 private:
  const LrnResolverConfig& config_;
  const Lookups::AskHost& ask_;
};

}  // namespace

/// One number under way.
struct Lookups::Lookup {
  Lookup(Desk& its_desk, std::uint64_t its_id, std::string_view its_number);

  Desk& desk;
  const std::uint64_t id;
  const std::string number;
  std::vector<Waiter> waiters;
  unsigned attempts = 0;
  bool was_asked = false;  // the last attempt left here
  Timer deadline;
  void on_deadline();
};

/// The look-ups with one resolver.
class Lookups::Desk final : private ResolverEvents {
 public:
  Desk(Lookups& owner, std::shared_ptr<ResolverState> state)
      : owner_(owner), state_(std::move(state)) {
    const LrnResolverConfig& config = state_->config;
    ResolverEvents& events = *this;
    switch (config.kind) {
      case LrnResolverKind::sip302:
        resolver_ = std::make_unique<SipResolver>(config, *owner_.legs_, events);
        break;
      case LrnResolverKind::http:
        resolver_ = std::make_unique<HttpResolver>(config, state_->tls, owner_.loop_, events);
        break;
      case LrnResolverKind::host:
        resolver_ = std::make_unique<HostResolver>(config, owner_.ask_host_);
        break;
      case LrnResolverKind::naptr:
        resolver_ = std::make_unique<EnumResolver>(config, owner_.loop_, owner_.random_, events);
        break;
    }
  }
  ~Desk() override { state_->under_way -= by_id_.size(); }

  [[nodiscard]] bool is_idle() const noexcept { return by_id_.empty(); }
  [[nodiscard]] const ResolverState* state() const noexcept { return state_.get(); }
  bool is_kept = true;  // the tables in force name its resolver

  bool ask(std::string_view number, Waiter waiter) {
    if (const auto known = by_number_.find(number); known != by_number_.end()) {
      if (known->second->waiters.size() >= waiters_max) return overflow();
      known->second->waiters.push_back(waiter);
      ++state_->coalesced;
      return true;
    }
    if (by_id_.size() >= static_cast<std::size_t>(state_->config.queries_max)) return overflow();
    auto made = std::make_unique<Lookup>(*this, owner_.next_id_++, number);
    Lookup& lookup = *made;
    lookup.waiters.push_back(waiter);
    owner_.desk_of_id_.emplace(lookup.id, this);
    by_number_.emplace(lookup.number, &lookup);
    by_id_.emplace(lookup.id, std::move(made));
    ++state_->under_way;
    attempt(lookup);
    return true;
  }

  void answer(std::uint64_t id, const LrnAnswer& answer) {
    const auto record =
        answer.failed ? std::nullopt : make_record(answer.record.lrn, answer.record.region);
    on_attempt_end(id, record ? AttemptEnd::answered : AttemptEnd::refused, record,
                   answer.failed ? "host found nothing"
                   : record      ? ""
                                 : "answer of the host was malformed");
  }

  void on_deadline(Lookup& lookup) {
    if (!lookup.was_asked) return try_again(lookup, "could not be asked");
    resolver_->forget(lookup.id);
    ++state_->timeouts;
    try_again(lookup, "no answer in time");
  }

 private:
  bool overflow() {
    ++state_->overflows;
    owner_.log_.write(LogLevel::warning, "lrn", "too many numbers are being looked up",
                      {{"resolver", state_->config.id}});
    return false;
  }

  void attempt(Lookup& lookup) {
    lookup.was_asked = resolver_->ask(lookup.id, lookup.number, lookup.attempts++);
    if (lookup.was_asked) ++state_->questions;
    // What could not be asked fails in the next turn, because nothing is told from inside ask().
    owner_.loop_.timers().start(
        lookup.deadline, lookup.was_asked ? std::int64_t{state_->config.timeout_ms} * 1000 : 0);
  }

  void try_again(Lookup& lookup, std::string_view reason) {
    const LrnResolverConfig& config = state_->config;
    const std::int32_t retries = config.kind == LrnResolverKind::host ? 0 : config.retries;
    if (lookup.attempts <= static_cast<unsigned>(retries)) return attempt(lookup);
    fail(lookup, reason);
  }

  void fail(Lookup& lookup, std::string_view reason) {
    ++state_->failures;
    owner_.log_.write(LogLevel::warning, "lrn", "number could not be looked up",
                      {{"resolver", state_->config.id}, {"reason", std::string(reason)}});
    complete(lookup, std::nullopt);
  }

  void on_attempt_end(std::uint64_t id, AttemptEnd end, const std::optional<LrnRecord>& record,
                      std::string_view reason) override {
    const auto found = by_id_.find(id);
    if (found == by_id_.end()) return;
    Lookup& lookup = *found->second;
    lookup.deadline.cancel();
    switch (end) {
      case AttemptEnd::answered:
        ++state_->answers;
        state_->cache.put(lookup.number, *record, owner_.loop_.clock().monotonic_us());
        complete(lookup, record);
        return;
      case AttemptEnd::refused:
        fail(lookup, reason);
        return;
      case AttemptEnd::unreachable:
        try_again(lookup, reason);
        return;
    }
  }

  void complete(Lookup& lookup, const std::optional<LrnRecord>& record) {
    const std::vector<Waiter> waiters = std::move(lookup.waiters);
    const std::optional<LrnRecord> told = record;
    by_number_.erase(lookup.number);
    owner_.desk_of_id_.erase(lookup.id);
    by_id_.erase(lookup.id);
    --state_->under_way;
    if (!is_kept && is_idle()) {  // one of its handlers may be running
      owner_.loop_.defer([&owner = owner_, alive = owner_.is_alive_] {
        if (*alive) owner.drop_idle();
      });
    }
    for (const Waiter waiter : waiters)
      owner_.events_.on_lookup(waiter, told);
  }

  Lookups& owner_;
  const std::shared_ptr<ResolverState> state_;
  std::unordered_map<std::uint64_t, std::unique_ptr<Lookup>> by_id_;
  std::unordered_map<std::string_view, Lookup*> by_number_;  // into by_id_
  std::unique_ptr<Resolver> resolver_;  // last, so that it goes before what it speaks to
};

Lookups::Lookup::Lookup(Desk& its_desk, std::uint64_t its_id, std::string_view its_number)
    : desk(its_desk),
      id(its_id),
      number(its_number),
      deadline(Timer::member<&Lookup::on_deadline, Lookup>(), this) {}

void Lookups::Lookup::on_deadline() { desk.on_deadline(*this); }

Lookups::Lookups(io::Loop& loop, Random& random, Log& log, std::uint64_t first_id, AskHost ask_host,
                 LookupEvents& events)
    : loop_(loop),
      random_(random),
      log_(log),
      ask_host_(std::move(ask_host)),
      events_(events),
      next_id_(first_id) {}

Lookups::~Lookups() { *is_alive_ = false; }

Lookups::Desk& Lookups::desk_of(const std::shared_ptr<ResolverState>& resolver) {
  std::unique_ptr<Desk>& desk = desks_[resolver.get()];
  if (desk == nullptr) desk = std::make_unique<Desk>(*this, resolver);
  return *desk;
}

bool Lookups::ask(const std::shared_ptr<ResolverState>& resolver, std::string_view number,
                  Waiter waiter) {
  return desk_of(resolver).ask(number, waiter);
}

void Lookups::answer(std::uint64_t token, const LrnAnswer& answer) {
  if (const auto found = desk_of_id_.find(token); found != desk_of_id_.end())
    found->second->answer(token, answer);
}

void Lookups::keep_only(const std::vector<std::shared_ptr<ResolverState>>& resolvers) {
  for (auto& [name, desk] : desks_) {
    const ResolverState* const state = desk->state();
    desk->is_kept = std::any_of(resolvers.begin(), resolvers.end(),
                                [&](const auto& kept) { return kept.get() == state; });
  }
  drop_idle();
}

void Lookups::drop_idle() {
  std::erase_if(
      desks_, [](const auto& entry) { return !entry.second->is_kept && entry.second->is_idle(); });
}

}  // namespace tandem::lrn
