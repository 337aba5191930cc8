// Questions to name servers.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "io/dns_message.hpp"
#include "io/loop.hpp"
#include "tandem/clock.hpp"

namespace tandem::io {

/// Hears what became of questions. May call any method of the client, but not destroy it.
class DnsEvents {
 public:
  virtual ~DnsEvents() = default;
  /// `response` ends with the call. Its code may say that there is nothing.
  virtual void on_dns_answer(std::uint64_t id, const dns::Response& response) = 0;
  /// No answer will come from that server. `reason`: one line.
  virtual void on_dns_failure(std::uint64_t id, std::string_view reason) = 0;
};

struct DnsCounters {
  std::uint64_t questions = 0;
  std::uint64_t answers = 0;
  std::uint64_t truncated = 0;  ///< Asked again over TCP.
  std::uint64_t strays = 0;     ///< Datagrams that answer nothing that was asked of their sender.
};

/// Asks over UDP, and over TCP what did not fit (RFC 7766). Answers are taken from the server that
/// was asked, with the id and the question that it was asked, to the case of each letter, which is
/// drawn for each question. The port is chosen by the system, once: who sees it, or tries them all,
/// has to guess 16 bits and one for each letter within the time of an answer. That is less than RFC
/// 5452 wants of a resolver, so name servers belong on a network whose senders are known. There are
/// no deadlines here and nothing is asked twice: whoever asks forgets what takes too long.
///
/// Threading: loop-bound.
class DnsClient final : private DatagramHandler {
 public:
  static constexpr std::size_t questions_max = 16'384;  ///< Under way; a quarter of all ids.
  static constexpr std::size_t streams_max = 64;        ///< Of those over TCP.

  /// `loop`, `random` and `events` outlive the client. `random`: ids and cases of letters are drawn
  /// from it.
  DnsClient(Loop& loop, Random& random, DnsEvents& events);
  ~DnsClient() override;
  DnsClient(const DnsClient&) = delete;
  DnsClient& operator=(const DnsClient&) = delete;

  /// `id`: of the caller's choice, of no other question that is under way. False: too many are, the
  /// name is none, or no socket could be opened; no event will come. No event comes before this
  /// returns.
  [[nodiscard]] bool ask(std::uint64_t id, const SocketAddress& server, dns::Question question);
  /// No event will come for it.
  void forget(std::uint64_t id);

  [[nodiscard]] std::size_t under_way() const noexcept { return asked_.size(); }
  [[nodiscard]] const DnsCounters& counters() const noexcept { return counters_; }

 private:
  class Stream;
  struct Asked {
    std::uint64_t id = 0;
    SocketAddress server;
    dns::Question question;
    std::unique_ptr<Stream> stream;  // null: over UDP
  };
  using ByWireId = std::unordered_map<std::uint16_t, Asked>;

  void on_datagram(const SocketAddress& from, std::string_view bytes) override;
  void on_unreachable(const SocketAddress& to) override;
  [[nodiscard]] DatagramSocket* socket_for(const IpAddress& server);
  /// The same question again, over TCP.
  void ask_by_stream(ByWireId::iterator asked);
  void answer(ByWireId::iterator asked, const dns::Response& response);
  void fail(std::uint16_t wire_id, std::string_view reason);
  void erase(ByWireId::iterator asked);

  Loop& loop_;
  Random& random_;
  DnsEvents& events_;
  std::array<std::unique_ptr<DatagramSocket>, 2> sockets_;  // of IPv4 and of IPv6, when needed
  ByWireId asked_;
  std::unordered_map<std::uint64_t, std::uint16_t> wire_ids_;  // by the caller's id
  std::size_t streams_ = 0;
  std::vector<std::unique_ptr<Stream>> retired_;  // until the end of the turn
  DnsCounters counters_;
  std::shared_ptr<bool> is_alive_ =
      std::make_shared<bool>(true);  // deferred tasks may come after us
};

}  // namespace tandem::io
