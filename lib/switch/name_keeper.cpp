#include "switch/name_keeper.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <fstream>
#include <limits>
#include <utility>

#include "base/text.hpp"

namespace tandem {
namespace {

constexpr std::int64_t second_us = 1'000'000;
constexpr std::int64_t advance_min_us = 100'000;  // between two looks at what is due
constexpr std::int64_t advance_max_us = 3'600 * second_us;
constexpr std::int64_t unused_us = 60 * second_us;
constexpr std::int64_t former_min_us = 30 * second_us;
constexpr std::int64_t former_max_us = 3'600 * second_us;
constexpr std::size_t former_places_max = 64;
constexpr std::size_t file_bytes_max = std::size_t{4} << 20;

/// Entries that are never asked for anew.
std::map<std::string, std::unique_ptr<io::DnsEntry>> hosts_entries(const io::HostsTable& hosts,
                                                                   std::int64_t now_us) {
  using io::dns::RecordType;
  constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();
  std::map<std::string, std::unique_ptr<io::DnsEntry>> entries;
  for (const auto& [name, addresses] : hosts) {
    for (const RecordType type :
         {RecordType::a, RecordType::aaaa, RecordType::srv, RecordType::naptr}) {
      auto entry = std::make_unique<io::DnsEntry>();
      entry->asked_us = now_us;
      entry->expires_us = entry->due_us = never;
      for (const IpAddress& ip : addresses) {
        if (type == (ip.is_ipv6() ? RecordType::aaaa : RecordType::a)) entry->data.emplace_back(ip);
      }
      entry->state = entry->data.empty() ? io::DnsEntry::State::absent : io::DnsEntry::State::found;
      entries.emplace(io::question_key(name, type), std::move(entry));
    }
  }
  return entries;
}

/// Of a file beyond file_bytes_max only its beginning; "": there is none.
std::string text_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text;
  std::array<char, 4'096> part;
  while (file && text.size() < file_bytes_max) {
    file.read(part.data(), static_cast<std::streamsize>(part.size()));
    text.append(part.data(), static_cast<std::size_t>(file.gcount()));
  }
  return text;
}

}  // namespace

NameKeeper::NameKeeper(io::Loop& loop, Random& random, io::DnsResolverConfig config,
                       const io::HostsTable& hosts, std::function<void()> has_news)
    : loop_(loop),
      hosts_(hosts_entries(hosts, loop.clock().monotonic_us())),
      tell_news_(std::move(has_news)),
      resolver_(loop, random, std::move(config),
                [this](const std::vector<std::string>& questions) {
                  for (const std::string& question : questions)
                    wake(question);
                  advance();
                }),
      due_(Timer::member<&NameKeeper::advance, NameKeeper>(), this) {}

NameKeeper::~NameKeeper() { *is_alive_ = false; }

void NameKeeper::want(std::vector<sip::Location> locations) {
  {
    const std::lock_guard lock(mutex_);
    unknown_ = locations.size();
    ordered_ = std::make_unique<std::vector<sip::Location>>(std::move(locations));
  }
  order();
}

void NameKeeper::order() {
  // Refused only by a loop that is over, or full: then repeat_order() sees to it.
  (void)loop_.post([this, alive = is_alive_] {
    if (*alive) advance();
  });
}

void NameKeeper::repeat_order() {
  {
    const std::lock_guard lock(mutex_);
    if (ordered_ == nullptr) return;
  }
  order();
}

/// Locates anew what waits for that question, and nothing else: many names settle one by one.
void NameKeeper::wake(const std::string& question) {
  const auto [first, last] = waiters_.equal_range(question);
  for (auto waiter = first; waiter != last; ++waiter) {
    const auto found = wanted_.find(waiter->second);
    if (found != wanted_.end() && found->second.waits) found->second.due_us = 0;
  }
  waiters_.erase(first, last);
}

const io::DnsEntry& NameKeeper::find(std::string_view name, io::dns::RecordType type) {
  // A service of a host that the file has is not in the file: its records are not asked for.
  const std::size_t service = name.starts_with('_') ? name.find('.', name.find('.') + 1) : 0;
  if (service != 0 && service != std::string_view::npos) {
    const auto host = hosts_.find(io::question_key(name.substr(service + 1), type));
    if (host != hosts_.end()) return *host->second;
  }
  const auto known = hosts_.find(io::question_key(name, type));
  return known != hosts_.end() ? *known->second : resolver_.find(name, type);
}

/// On the loop.
void NameKeeper::advance() {
  const std::int64_t now_us = loop_.clock().monotonic_us();
  std::unique_ptr<std::vector<sip::Location>> ordered;
  {
    const std::lock_guard lock(mutex_);
    ordered.swap(ordered_);
  }
  if (ordered != nullptr) {
    std::map<std::string, Wanted> before;
    before.swap(wanted_);
    waiters_.clear();
    for (sip::Location& what : *ordered) {
      const std::string key = what.key();
      const auto known = before.find(key);
      Wanted& wanted = wanted_[key];
      wanted = known != before.end() ? std::move(known->second) : Wanted{std::move(what)};
      if (wanted.waits) wanted.due_us = 0;  // so that it is known again what it waits for
    }
    const std::lock_guard lock(mutex_);
    std::erase_if(located_, [&](const auto& entry) { return !wanted_.contains(entry.first); });
  }
  std::int64_t next_us = now_us + advance_max_us;
  for (auto& [key, wanted] : wanted_) {
    if (wanted.due_us <= now_us) locate(key, wanted, now_us);
    next_us = std::min(next_us, wanted.due_us);
  }
  if (now_us - forgotten_at_us_ >= unused_us) {
    forgotten_at_us_ = now_us;
    for (const auto& [key, wanted] : wanted_) {
      // What is in use but not due yet would look unused.
      (void)sip::locate(
          wanted.what,
          [this](std::string_view name, io::dns::RecordType type) -> const io::DnsEntry& {
            return find(name, type);
          },
          now_us);
    }
    resolver_.forget_unused(now_us);
  }
  bool is_known = false;
  {
    const std::lock_guard lock(mutex_);
    counters_ = resolver_.counters();
    if (ordered_ == nullptr) unknown_ = wanted_.size() - std::min(wanted_.size(), located_.size());
    is_known = unknown_ == 0;
  }
  if (is_known) is_known_.notify_all();
  if (wanted_.empty()) return due_.cancel();
  loop_.timers().start(due_, std::max(next_us - now_us, advance_min_us));
}

void NameKeeper::locate(const std::string& key, Wanted& wanted, std::int64_t now_us) {
  std::vector<std::string> asked;
  sip::Located found = sip::locate(
      wanted.what,
      [&](std::string_view name, io::dns::RecordType type) -> const io::DnsEntry& {
        const io::DnsEntry& entry = find(name, type);
        if (entry.due_us <= now_us) asked.push_back(io::question_key(name, type));
        return entry;
      },
      now_us);
  for (std::string& question : asked) {
    const auto [first, last] = waiters_.equal_range(question);
    const bool is_known =
        std::any_of(first, last, [&](const auto& waiter) { return waiter.second == key; });
    if (!is_known) waiters_.emplace(std::move(question), key);
  }
  // What is due now is being asked: the answer makes a call of advance(). Meanwhile only the end
  // of what is known has to be seen.
  wanted.waits = !found.is_complete || found.due_us <= now_us;
  wanted.due_us = wanted.waits ? now_us + second_us : found.due_us;
  if (!found.is_complete) return;
  if (wanted.what.is_source) keep_former(wanted, found, now_us);
  bool is_news = false;
  {
    const std::lock_guard lock(mutex_);
    const auto [known, is_new] = located_.try_emplace(key);
    is_news = is_new || known->second.places != found.places;
    known->second = std::move(found);
  }
  if (!is_news) return;
  has_news_.store(true);
  tell_news_();
}

/// An answer may hold a part of what a name stands for, another one each time. A customer's address
/// that is not in the newest one is believed for as long again as it was good for.
void NameKeeper::keep_former(Wanted& wanted, sip::Located& found, std::int64_t now_us) {
  const std::int64_t good_us = std::max(found.expires_us - found.asked_us, former_min_us);
  std::erase_if(wanted.former, [&](const auto& former) {
    return former.until_us <= now_us ||
           std::any_of(found.places.begin(), found.places.end(),
                       [&](const auto& place) { return place.address == former.place.address; });
  });
  std::vector<Former> fresh;
  for (const sip::LocatedPlace& place : found.places)
    fresh.push_back({place, found.asked_us + good_us + std::min(good_us, former_max_us)});
  for (const Former& former : wanted.former) {
    if (fresh.size() >= former_places_max) break;
    found.places.push_back(former.place);
    wanted.due_us = std::min(wanted.due_us, former.until_us);
    fresh.push_back(former);
  }
  wanted.former = std::move(fresh);
  // In one order, whichever came last.
  std::sort(found.places.begin(), found.places.end(),
            [](const auto& a, const auto& b) { return a.address < b.address; });
  for (sip::LocatedPlace& place : found.places)
    place.rank = place.host = place.weight = 0;  // of no matter for where calls come from
}

call::LocatedNames NameKeeper::located() const {
  const std::lock_guard lock(mutex_);
  return located_;
}

io::DnsResolverCounters NameKeeper::counters() const {
  const std::lock_guard lock(mutex_);
  return counters_;
}

void NameKeeper::wait_until_known(std::int64_t timeout_us) {
  std::unique_lock lock(mutex_);
  is_known_.wait_for(lock, std::chrono::microseconds(timeout_us), [this] { return unknown_ == 0; });
}

io::DnsResolverConfig resolver_config(const DnsConfig& dns, bool is_simulated) {
  io::DnsResolverConfig config;
  config.servers = dns.servers;
  if (config.servers.empty() && !is_simulated) {
    config.servers = io::read_resolv_conf(text_of("/etc/resolv.conf"));
    if (config.servers.empty()) config.servers.push_back({IpAddress::ipv4(127, 0, 0, 1), 53});
  }
  config.timeout_us = dns.timeout_ms * std::int64_t{1'000};
  config.rounds = dns.rounds;
  config.ttl_min_us = dns.ttl_min_s * second_us;
  config.ttl_max_us = dns.ttl_max_s * second_us;
  config.negative_ttl_max_us = dns.negative_ttl_max_s * second_us;
  config.stale_us = dns.stale_s * second_us;
  config.entries_max = static_cast<std::size_t>(dns.entries_max);
  return config;
}

io::HostsTable hosts_of(const DnsConfig& dns, bool is_simulated) {
  if (is_simulated || dns.hosts_file.empty()) return {};
  return io::read_hosts(text_of(dns.hosts_file));
}

call::LocatedNames locate_now(const DnsConfig& dns, const std::vector<sip::Location>& locations,
                              std::int64_t timeout_us) {
  if (locations.empty()) return {};
  const auto network = io::make_system_network();
  auto loop = network->create_loop("names");
  if (!loop) return {};
  SecureRandom random;
  auto keeper = std::make_unique<NameKeeper>(**loop, random, resolver_config(dns, false),
                                             hosts_of(dns, false), [] {});
  keeper->want(locations);
  (*loop)->start();
  keeper->wait_until_known(timeout_us);
  (*loop)->stop();
  call::LocatedNames located = keeper->located();
  keeper.reset();
  return located;
}

}  // namespace tandem
