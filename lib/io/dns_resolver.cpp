#include "io/dns_resolver.hpp"

#include <algorithm>
#include <utility>

#include "base/text.hpp"

namespace tandem::io {
namespace {

constexpr std::int64_t second_us = 1'000'000;
constexpr std::int64_t retry_first_us = 2 * second_us;  // after a failure; doubles
constexpr std::int64_t retry_max_us = 60 * second_us;

DnsEntry failed_entry(const char* error) {
  DnsEntry entry;
  entry.state = DnsEntry::State::failed;
  entry.error = error;
  return entry;
}

}  // namespace

std::string question_key(std::string_view name, dns::RecordType type) {
  std::string key;
  for (const char c : name)
    key += to_lower(c);
  return key + ' ' + std::to_string(static_cast<unsigned>(type));
}

struct DnsResolver::Known {
  DnsEntry entry;
  std::string key;
  std::string name;
  dns::RecordType type = dns::RecordType::a;
  std::int64_t used_us = 0;
  int failures = 0;  // in a row
  bool is_waiting = false;
  std::unique_ptr<Lookup> lookup;  // null: none is under way
};

/// One question until it is answered or given up.
class DnsResolver::Lookup final : public DnsEvents {
 public:
  Lookup(DnsResolver& owner, Known& known)
      : owner_(owner),
        known_(&known),
        name_(known.name),
        due_(Timer::member<&Lookup::on_timeout, Lookup>(), this) {}

  void start() {
    first_ = owner_.server_;
    next_server();
  }
  [[nodiscard]] Known* known() const noexcept { return known_; }
  void end() noexcept {
    known_ = nullptr;
    due_.cancel();
  }

 private:
  void next_server() {
    const DnsResolverConfig& config = owner_.config_;
    const int attempts_max = config.rounds * static_cast<int>(config.servers.size());
    while (attempt_ < attempts_max) {
      const std::size_t server =
          (first_ + static_cast<std::size_t>(attempt_)) % config.servers.size();
      ++attempt_;
      // A socket of its own is a port of its own, which the system draws.
      retire_client();
      client_ = std::make_unique<DnsClient>(owner_.loop_, owner_.random_, *this);
      if (client_->ask(1, config.servers[server], {name_, known_->type})) {
        asked_ = server;
        ++owner_.counters_.questions;
        owner_.loop_.timers().start(due_, config.timeout_us);
        return;
      }
      reason_ = "no socket could be opened";
    }
    give_up();
  }

  void on_timeout() {
    ++owner_.counters_.timeouts;
    reason_ = owner_.config_.servers[asked_].to_string() + " did not answer";
    client_->forget(1);
    next_server();
  }

  void on_dns_failure(std::uint64_t, std::string_view reason) override {
    if (known_ == nullptr) return;
    due_.cancel();
    reason_ = owner_.config_.servers[asked_].to_string() + ": " + std::string(reason);
    next_server();
  }

  void on_dns_answer(std::uint64_t, const dns::Response& response) override {
    if (known_ == nullptr) return;
    due_.cancel();
    if (response.code != dns::Response::no_error && response.code != dns::Response::name_error) {
      reason_ = owner_.config_.servers[asked_].to_string() + " answered with code " +
                std::to_string(response.code);
      return next_server();
    }
    owner_.server_ = asked_;
    ++owner_.counters_.answers;
    dns::Chain chain = dns::follow_aliases(response, name_, known_->type);
    aliases_ += chain.aliases;
    if (chain.aliases > 0) ttl_s_ = std::min(ttl_s_, chain.ttl_s);
    if (aliases_ > dns::aliases_max) {
      reason_ = "more than " + std::to_string(dns::aliases_max) + " aliases";
      return give_up();
    }
    if (!chain.records.empty()) return found(chain);
    if (chain.aliases > 0 && response.code == dns::Response::no_error) {
      // The server did not follow them itself.
      name_ = std::string(chain.end);
      attempt_ = 0;
      first_ = asked_;
      return next_server();
    }
    absent(response);
  }

  void found(const dns::Chain& chain) {
    DnsEntry& entry = known_->entry;
    entry.data.clear();
    for (const dns::Record* record : chain.records) {
      if (entry.data.size() < DnsEntry::data_max) entry.data.push_back(record->data);
    }
    keep(DnsEntry::State::found, std::clamp(std::min(ttl_s_, chain.ttl_s) * second_us,
                                            owner_.config_.ttl_min_us, owner_.config_.ttl_max_us));
  }

  void absent(const dns::Response& response) {
    known_->entry.data.clear();
    // Without a SOA record it should not be kept at all (RFC 2308 section 5); for the least time
    // it is, so that a server that errs is not asked without end.
    const std::int64_t ttl_us = response.negative_ttl_s.value_or(0) * second_us;
    keep(DnsEntry::State::absent,
         std::clamp(ttl_us, owner_.config_.ttl_min_us,
                    std::max(owner_.config_.ttl_min_us, owner_.config_.negative_ttl_max_us)));
  }

  void keep(DnsEntry::State state, std::int64_t ttl_us) {
    Known& known = *known_;
    const std::int64_t now_us = owner_.loop_.clock().monotonic_us();
    known.entry.state = state;
    known.entry.asked_us = now_us;
    known.entry.expires_us = now_us + ttl_us;
    known.entry.error.clear();
    known.entry.due_us = now_us + ttl_us / 5 * 4;
    known.failures = 0;
    owner_.settle(*this);
  }

  void give_up() {
    Known& known = *known_;
    ++owner_.counters_.failures;
    const std::int64_t now_us = owner_.loop_.clock().monotonic_us();
    const std::int64_t wait_us =
        std::min(retry_first_us << std::min(known.failures, 5), retry_max_us);
    ++known.failures;
    known.entry.due_us = now_us + wait_us;
    DnsEntry& entry = known.entry;
    entry.error = reason_;
    const bool is_kept =
        (entry.state == DnsEntry::State::found || entry.state == DnsEntry::State::absent) &&
        now_us < entry.expires_us + owner_.config_.stale_us;
    if (!is_kept) {
      entry.state = DnsEntry::State::failed;
      entry.data.clear();
      entry.expires_us = known.entry.due_us;
    }
    owner_.settle(*this);
  }

  /// Its own handler may be running.
  void retire_client() {
    if (client_ == nullptr) return;
    const DnsCounters& counted = client_->counters();
    owner_.counters_.strays += counted.strays;
    owner_.counters_.truncated += counted.truncated;
    owner_.retire(std::move(client_));
  }

 public:
  ~Lookup() override { retire_client(); }

 private:
  DnsResolver& owner_;
  Known* known_;
  std::string name_;  // where aliases led to
  Timer due_;
  std::unique_ptr<DnsClient> client_;
  std::size_t first_ = 0, asked_ = 0;
  int attempt_ = 0;
  int aliases_ = 0;
  std::uint32_t ttl_s_ = 0x7fffffff;  // the least of the aliases'
  std::string reason_ = "there is no name server";
};

DnsResolver::DnsResolver(Loop& loop, Random& random, DnsResolverConfig config, Changed changed)
    : loop_(loop),
      random_(random),
      config_(std::move(config)),
      changed_(std::move(changed)),
      no_room_(failed_entry("too many names")),
      no_name_(failed_entry("it is no name that DNS can have")) {}

DnsResolver::~DnsResolver() {
  *is_alive_ = false;
  entries_.clear();  // look-ups hand their clients over
  retired_.clear();
}

const DnsEntry& DnsResolver::find(std::string_view name, dns::RecordType type) {
  const std::int64_t now_us = loop_.clock().monotonic_us();
  std::string key = question_key(name, type);
  const auto found = entries_.find(key);
  if (found == entries_.end()) {
    if (!dns::is_name(name)) return no_name_;
    if (entries_.size() >= config_.entries_max) return no_room_;
  }
  std::unique_ptr<Known>& known = found != entries_.end() ? found->second : entries_[key];
  if (known == nullptr) {
    known = std::make_unique<Known>();
    known->name = name;
    known->type = type;
    known->key = std::move(key);
  }
  known->used_us = now_us;
  DnsEntry& entry = known->entry;
  if (now_us >= entry.due_us) refresh(*known);
  if (entry.is_stale(now_us) && now_us >= entry.expires_us + config_.stale_us) {
    entry.state = DnsEntry::State::failed;
    entry.data.clear();
    if (entry.error.empty()) entry.error = "the servers were not asked in time";
  }
  return entry;
}

void DnsResolver::refresh(Known& known) {
  if (known.lookup != nullptr || known.is_waiting) return;
  if (under_way_ >= under_way_max) {
    known.is_waiting = true;
    waiting_.push_back(known.key);
    return;
  }
  ++under_way_;
  known.lookup = std::make_unique<Lookup>(*this, known);
  // What fails at once would otherwise be told within find().
  loop_.defer([this, alive = is_alive_, key = known.key] {
    if (!*alive) return;
    const auto found = entries_.find(key);
    if (found != entries_.end() && found->second->lookup != nullptr) found->second->lookup->start();
  });
}

/// Its socket goes at the end of the turn, not of the look-up: silent servers would hold one for
/// each attempt.
void DnsResolver::retire(std::unique_ptr<DnsClient> client) {
  retired_clients_.push_back(std::move(client));
  if (retired_clients_.size() > 1) return;
  loop_.defer([this, alive = is_alive_] {
    if (*alive) retired_clients_.clear();
  });
}

void DnsResolver::settle(Lookup& lookup) {
  Known& known = *lookup.known();
  settled_.push_back(known.key);
  lookup.end();
  --under_way_;
  retired_.push_back(std::move(known.lookup));
  if (retired_.size() == 1) {
    loop_.defer([this, alive = is_alive_] {
      if (!*alive) return;
      retired_.clear();
      start_waiting();
      changed_(std::exchange(settled_, {}));
    });
  }
}

void DnsResolver::start_waiting() {
  std::size_t taken = 0;
  while (taken < waiting_.size() && under_way_ < under_way_max) {
    const auto found = entries_.find(waiting_[taken++]);
    if (found == entries_.end()) continue;
    found->second->is_waiting = false;
    refresh(*found->second);
  }
  waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(taken));
}

void DnsResolver::forget_unused(std::int64_t since_us) {
  std::erase_if(entries_, [&](const auto& entry) {
    const Known& known = *entry.second;
    return known.used_us < since_us && known.lookup == nullptr;
  });
}

}  // namespace tandem::io
