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
constexpr std::size_t file_bytes_max = std::size_t{4} << 20;

std::string hosts_key(std::string_view name, io::dns::RecordType type) {
  std::string key;
  for (const char c : name)
    key += to_lower(c);
  return key + ' ' + std::to_string(static_cast<unsigned>(type));
}

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
      entries.emplace(hosts_key(name, type), std::move(entry));
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
                [this] {
                  for (auto& [key, wanted] : wanted_) {
                    if (wanted.waits) wanted.due_us = 0;
                  }
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
  // Refused only by a loop that is over, or full: then the timer sees to it.
  (void)loop_.post([this, alive = is_alive_] {
    if (*alive) advance();
  });
}

const io::DnsEntry& NameKeeper::find(std::string_view name, io::dns::RecordType type) {
  // A service of a host that the file has is not in the file: its records are not asked for.
  const std::size_t service = name.starts_with('_') ? name.find('.', name.find('.') + 1) : 0;
  if (service != 0 && service != std::string_view::npos) {
    const auto host = hosts_.find(hosts_key(name.substr(service + 1), type));
    if (host != hosts_.end()) return *host->second;
  }
  const auto known = hosts_.find(hosts_key(name, type));
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
    for (sip::Location& what : *ordered) {
      const std::string key = what.key();
      const auto known = before.find(key);
      wanted_[key] = known != before.end() ? std::move(known->second) : Wanted{std::move(what)};
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
  sip::Located found = sip::locate(
      wanted.what,
      [this](std::string_view name, io::dns::RecordType type) -> const io::DnsEntry& {
        return find(name, type);
      },
      now_us);
  // What is due now is being asked: the answer makes a call of advance(). Meanwhile only the end
  // of what is known has to be seen.
  wanted.waits = !found.is_complete || found.due_us <= now_us;
  wanted.due_us = wanted.waits ? now_us + second_us : found.due_us;
  if (!found.is_complete) return;
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
