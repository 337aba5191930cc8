// A relay under the load of many calls: packets of G.711 in both directions, on loopback or over a
// cable between two networks. Only what the relay's own threads spend is its own.
#pragma once

#include <netinet/in.h>
#include <sched.h>
#include <time.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "bench.hpp"
#include "media/relay.hpp"
#include "rtpengine.hpp"
#include "support/network_pair.hpp"
#include "tandem/media_relay.hpp"

namespace tandem::bench {

std::int64_t time_ns(clockid_t clock);
void raise_file_limit();

constexpr std::uint16_t port_first = 10000;
constexpr std::uint16_t port_last = 19999;
constexpr std::uint16_t peer_port_first = 20000;
constexpr std::uint16_t peer_port_last = 32767;
constexpr std::size_t load_calls = 500;

/// One way to carry packets.
struct Kind {
  const char* name;
  std::optional<std::string> (*why_not)();
  Result<std::shared_ptr<media::RelayCore>> (*start)(const MediaConfig& config);
};
extern const Kind portable, fast_by_uring, fast_by_sk_lookup;

/// Where relays are, and where the load comes from: on loopback, or at the two ends of a cable.
/// Relays are on one processor and the load on another, so that neither moves the other about.
/// Threads and processes inherit processor and network of the thread that starts them. With one
/// processor only they share it.
class Place {
 public:
  Place();  ///< Loopback.
  explicit Place(const test::NetworkPair& pair, const char* relay_ip, const char* load_ip);
  ~Place();
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

  void go_to_relays() const;  ///< Where this thread is when it has made one.
  void go_to_load() const;

  [[nodiscard]] const IpAddress& relay_ip() const { return relay_ip_; }
  [[nodiscard]] const IpAddress& load_ip() const { return load_ip_; }
  [[nodiscard]] int load_processor() const { return number_[found_ > 1 ? 1 : 0]; }

 private:
  void move_to(std::size_t of_found) const;

  const test::NetworkPair* pair_ = nullptr;
  IpAddress relay_ip_, load_ip_;
  cpu_set_t before_;
  int number_[2] = {0, 0};
  int found_ = 0;
};

/// A relay as the load sees it.
class RelayUnderLoad {
 public:
  virtual ~RelayUnderLoad() = default;

  struct Ports {
    std::uint16_t caller = 0, callee = 0;  ///< Where each side has to send to.
  };
  /// A call between two ports of the load. Throws when it is refused.
  virtual Ports open(std::uint16_t caller_port, std::uint16_t callee_port) = 0;
  /// What its threads have spent.
  [[nodiscard]] virtual std::int64_t cpu_ns() const = 0;
};

class OwnRelay final : public RelayUnderLoad {
 public:
  OwnRelay(const Place& place, const Kind& kind, std::size_t calls);
  Ports open(std::uint16_t caller_port, std::uint16_t callee_port) override;
  [[nodiscard]] std::int64_t cpu_ns() const override;

 private:
  const IpAddress load_ip_;
  std::optional<MediaRelay> relay_;
  std::vector<MediaSession> sessions_;
};

class PeerRelay final : public RelayUnderLoad {
 public:
  explicit PeerRelay(Rtpengine& rtpengine) : rtpengine_(rtpengine) {}
  Ports open(std::uint16_t caller_port, std::uint16_t callee_port) override;
  [[nodiscard]] std::int64_t cpu_ns() const override { return rtpengine_.cpu_ns(); }

 private:
  Rtpengine& rtpengine_;
};

/// Its calls, from where this thread is.
class Load {
 public:
  Load(const Place& place, RelayUnderLoad& relay, std::size_t calls);
  ~Load();
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  /// Sends at the full rate of all calls for `run_s`.
  void run(double run_s);

  void forget();
  [[nodiscard]] std::int64_t sent() const { return sent_; }
  [[nodiscard]] std::int64_t received() const { return received_; }
  [[nodiscard]] std::int64_t sent_per_s() const;
  [[nodiscard]] double delay_us(double share);
  [[nodiscard]] std::int64_t relay_cpu_ns() const { return relay_.cpu_ns(); }

 private:
  struct Stream {
    sockaddr_in to;
    std::size_t socket;
    std::uint16_t sequence;
    std::uint32_t timestamp;
  };

  [[nodiscard]] std::size_t socket_of(std::size_t stream) const;
  std::int64_t send_batch(std::size_t wanted);
  void receive();
  void take(msghdr& message, const unsigned char* packet);

  RelayUnderLoad& relay_;
  std::vector<int> sockets_;
  std::vector<Stream> streams_;
  std::vector<std::int64_t> delays_ns_;
  std::size_t next_ = 0;
  std::int64_t sent_ = 0;
  std::int64_t sent_ns_ = 0;
  std::int64_t received_ = 0;
};

constexpr double warm_up_s = 1.5;  // streams that last have their second socket by then

/// One stretch of load, and what it showed of the relay.
struct Round {
  double ns_per_packet = 0, p50_us = 0, p99_us = 0, p999_us = 0;
  double load_ns_per_packet = 0;  ///< Of the load, and of what the kernel did in its name.
  std::int64_t packets_per_s = 0, sent = 0, received = 0;
};
constexpr int rounds = 3;
using Rounds = std::array<Round, rounds>;

Round measure(Load& load);
std::string to_json(const Round& round);
std::string to_json(const Rounds& measured);
double median_ns(Rounds measured);
/// What relay and load spent together: a program in the kernel works in the time of the load.
double median_all_ns(Rounds measured);

/// Every kind takes turns with rtpengine under the same load.
struct Compared {
  struct Row {
    std::string name, not_run;  ///< Why it has no rounds.
    Rounds ours, theirs;
  };
  std::vector<Row> rows;
  bool has_peer = false;
  [[nodiscard]] const Row* find(std::string_view name) const;  ///< Null: it was not run.
  [[nodiscard]] std::string to_json() const;
};
Compared compare(const Place& place, std::span<const Kind> kinds, std::size_t calls);

}  // namespace tandem::bench
