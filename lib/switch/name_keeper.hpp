// Keeps what names of gateways stand for up to date (RFC 3263).
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/timer_wheel.hpp"
#include "call/names.hpp"
#include "io/dns_files.hpp"
#include "io/dns_resolver.hpp"
#include "io/loop.hpp"
#include "tandem/config.hpp"

namespace tandem {

/// Asks on the loop that it is given; what it found is taken by any thread. Names of the hosts file
/// are not asked for.
///
/// Threading: thread-safe; `mutex_` guards what it says is shared and is held for a moment. Made
/// and destroyed while the loop does not run, or on it.
class NameKeeper {
 public:
  /// `loop` and `random` outlive it. `has_news`: called on the loop when take_news() would be true.
  NameKeeper(io::Loop& loop, Random& random, io::DnsResolverConfig config,
             const io::HostsTable& hosts, std::function<void()> has_news);
  ~NameKeeper();
  NameKeeper(const NameKeeper&) = delete;
  NameKeeper& operator=(const NameKeeper&) = delete;

  /// From now on these are kept; what was kept before and is not named is forgotten.
  void want(std::vector<sip::Location> locations);
  /// Once a second: an order that the loop had no room for is given again.
  void repeat_order();
  /// Whether places changed since the last call.
  [[nodiscard]] bool take_news() noexcept { return has_news_.exchange(false); }
  /// What is known of what is wanted, by Location::key().
  [[nodiscard]] call::LocatedNames located() const;
  [[nodiscard]] io::DnsResolverCounters counters() const;
  /// Waits until every name has been located or given up, at most that long. Not on the loop, nor
  /// in a simulation.
  void wait_until_known(std::int64_t timeout_us);

 private:
  /// A place of a customer's name, and until when it is believed.
  struct Former {
    sip::LocatedPlace place;
    std::int64_t until_us = 0;
  };
  struct Wanted {
    sip::Location what;
    std::int64_t due_us = 0;
    bool waits = true;             // for something that is being asked
    std::vector<Former> former{};  // of a customer: with those of the newest answer
  };
  void order();
  void wake(const std::string& question);
  void keep_former(Wanted& wanted, sip::Located& found, std::int64_t now_us);
  void advance();
  void locate(const std::string& key, Wanted& wanted, std::int64_t now_us);
  [[nodiscard]] const io::DnsEntry& find(std::string_view name, io::dns::RecordType type);

  io::Loop& loop_;
  const std::map<std::string, std::unique_ptr<io::DnsEntry>> hosts_;  // by name and type
  const std::function<void()> tell_news_;
  io::DnsResolver resolver_;
  std::map<std::string, Wanted> wanted_;                       // of the loop, by key
  std::unordered_multimap<std::string, std::string> waiters_;  // keys, by the question
  Timer due_;
  std::int64_t forgotten_at_us_ = 0;
  std::atomic<bool> has_news_{false};

  mutable std::mutex mutex_;  // guards the five below
  std::condition_variable is_known_;
  std::unique_ptr<std::vector<sip::Location>> ordered_;  // null: no order waits
  call::LocatedNames located_;
  io::DnsResolverCounters counters_;
  std::size_t unknown_ = 0;
  std::shared_ptr<bool> is_alive_ = std::make_shared<bool>(true);  // posted tasks may come later
};

/// Of the configuration; the servers of resolv.conf and the names of the hosts file are read unless
/// it is for a simulation.
[[nodiscard]] io::DnsResolverConfig resolver_config(const DnsConfig& dns, bool is_simulated);
[[nodiscard]] io::HostsTable hosts_of(const DnsConfig& dns, bool is_simulated);

/// What these stand for now, asked on a loop of its own; blocks, at most that long.
[[nodiscard]] call::LocatedNames locate_now(const DnsConfig& dns,
                                            const std::vector<sip::Location>& locations,
                                            std::int64_t timeout_us);

}  // namespace tandem
