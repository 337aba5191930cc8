// Delivers notices to one server by HTTP POST: at least once each, in order for each key.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "http/client.hpp"
#include "http/signed_post.hpp"
#include "io/loop.hpp"
#include "tandem/webhook.hpp"

namespace tandem::notify {

/// One thing to be told.
struct Notice {
  std::string key;  ///< Whom it is about: notices of one key go one after the other.
  /// Of one key the later news has the greater one, and equal ones are the same news. 0: they go in
  /// the order in which they are offered.
  std::uint64_t sequence = 0;
  std::string body;          ///< JSON.
  int attempts = 0;          ///< That came to nothing; the webhook's, as the next.
  std::uint64_t number = 0;  ///< In its requests; 0: none was sent yet.
};

/// A notice that was given up.
struct DeadLetter {
  std::int64_t at_us = 0;  ///< Wall clock.
  std::string reason;      ///< One line.
  std::string body;
};

/// Where a server is, by what its configuration says.
struct WebhookTarget {
  WebhookConfig config;
  http::HttpUrl url;
  http::ClientTls tls;

  /// Reads the files of TLS; `folder`: where relative paths begin. Errors: those of check_webhook()
  /// and of http::open_client_tls().
  static Result<WebhookTarget> open(const WebhookConfig& config, const std::string& folder);
  /// Of a URL with an address; nothing: its host is a name, which somebody else asks for.
  [[nodiscard]] std::optional<SocketAddress> address() const;
};

/// While the server fails, one notice at a time is tried, after pauses that double, and another
/// one each time: so one that the server cannot take does not hold up the others.
///
/// Threading: thread-safe but for the constructor, close() and the destructor; `mutex_` guards what
/// stands below it. Delivery is done on the loop. Created before the loop starts or on it, closed
/// and destroyed when it was stopped.
class Webhook final : private http::ClientEvents {
 public:
  /// What is to be told of a key now, for a snapshot; on the loop. Nothing: it is no more.
  using Read = std::function<std::optional<Notice>(const std::string& key)>;

  static constexpr std::size_t dead_letters_max = 10'000;  ///< That wait to be taken till the end.
  static constexpr std::size_t snapshot_waiting_max = 64;  ///< Of a snapshot, in the queue.
  static constexpr std::size_t told_max = 65'536;          ///< Keys whose last news is remembered.

  /// `loop` outlives it. `kind`: part of the key of each request.
  Webhook(io::Loop& loop, std::string kind, Read read);
  ~Webhook() override;
  Webhook(const Webhook&) = delete;
  Webhook& operator=(const Webhook&) = delete;

  /// From now on notices go there; nothing: nowhere, and those that wait are given up.
  void set_target(std::optional<WebhookTarget> target);
  /// Addresses of a host that is a name, the preferred first.
  void set_places(std::vector<SocketAddress> places);
  [[nodiscard]] bool is_on() const noexcept { return is_on_.load(std::memory_order_relaxed); }
  /// Nothing happens without a target.
  void offer(Notice notice);
  /// Tells of all of these, as they are when their turn comes. One that is under way begins anew.
  void tell_all(std::vector<std::string> keys);
  [[nodiscard]] WebhookState state() const;
  /// What was given up since the last call, oldest first.
  std::vector<DeadLetter> take_dead_letters();
  /// Dead letters that were taken, and could not be kept.
  void note_lost(std::size_t letters);
  /// Gives up what waits. Nothing is told any more.
  void close();

 private:
  struct Flight;
  struct Key {
    std::deque<Notice> waiting;
    bool is_under_way = false;
    std::uint64_t sequence = 0;  // of the one under way
    bool is_listed = false;      // in ready_
  };
  /// What the loop is to do next, from other threads.
  struct Orders {
    bool has_target = false, has_places = false, has_snapshot = false;
    std::optional<WebhookTarget> target;
    std::vector<SocketAddress> places;
    std::vector<std::string> snapshot;
    std::deque<Notice> notices;
  };

  void on_response(std::uint64_t id, http::ReceivedResponse& response) override;
  void on_failure(std::uint64_t id, std::string_view reason) override;

  void wake();
  void take_orders();
  void aim(std::optional<WebhookTarget> target);
  void place(std::vector<SocketAddress> places);
  void enqueue(Notice notice);
  void make_room(const std::string& key);
  void list(const std::string& name, Key& key, bool first);
  void note_told(const Notice& notice);
  void refill();
  void dispatch();
  void begin(Notice notice);
  Notice land(std::uint64_t id);
  void late(std::uint64_t id);
  void leave_place(std::uint64_t id);
  void delivered(std::uint64_t id);
  void refused(std::uint64_t id, std::string reason);
  void failed(Notice notice, std::string reason, std::int64_t pause_s);
  void go_on();
  void take_back_flights();
  void give_up(Notice notice, std::uint64_t WebhookState::*counter, std::string reason);
  void keep_letter(DeadLetter letter);
  void count_waiting();

  io::Loop& loop_;
  const std::string kind_;
  const Read read_;
  std::atomic<bool> is_on_{false};

  // Of the loop.
  std::optional<WebhookTarget> target_;
  std::vector<SocketAddress> places_;
  std::vector<std::unique_ptr<http::Client>> clients_;   // by place
  std::size_t preferred_ = 0;                            // place
  std::unordered_map<std::string, Key> keys_;            // with notices that wait or are under way
  std::deque<std::string> ready_;                        // keys, in order of their turn
  std::unordered_map<std::string, std::uint64_t> told_;  // by key, sequence of what was last sent
  std::unordered_map<std::uint64_t, std::unique_ptr<Flight>> flights_;
  std::size_t waiting_ = 0;           // notices, without those under way
  std::deque<std::string> snapshot_;  // keys that are still to be told of
  std::uint64_t next_id_ = 1;         // of a request
  std::uint64_t next_number_ = 1;     // of a notice
  std::string run_;                   // tells this run's requests from those of others
  int rounds_failed_ = 0;             // in a row
  Timer pause_;

  mutable std::mutex mutex_;
  Orders orders_;
  bool is_woken_ = false;  // a task that takes the orders is under way
  bool is_closed_ = false;
  WebhookState state_;
  std::deque<DeadLetter> dead_letters_;

  std::shared_ptr<bool> is_alive_ = std::make_shared<bool>(true);  // posted tasks may come later
};

}  // namespace tandem::notify
