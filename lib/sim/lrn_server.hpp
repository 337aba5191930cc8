// Inside of a simulated server for look-ups of ported numbers.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "http/server.hpp"
#include "io/loop.hpp"
#include "sim/sim_network.hpp"
#include "sip/message.hpp"
#include "tandem/sim.hpp"

namespace tandem::sim {

/// Threading: loop-bound.
struct LrnServer::Body final : private io::DatagramHandler {
  static Result<std::unique_ptr<Body>> create(SimNetwork& network, LrnResolverKind kind,
                                              const SocketAddress& address);
  Body(LrnResolverKind its_kind, const SocketAddress& local) : kind(its_kind), address(local) {}
  ~Body() override;

  const LrnResolverKind kind;
  const SocketAddress address;
  std::map<std::string, LrnRecord, std::less<>> records;
  std::vector<std::string> asked;
  std::int64_t delay_us = 0;
  int status = 0;
  bool is_silent = false;
  std::uint64_t acknowledged = 0;

 private:
  void on_datagram(const SocketAddress& from, std::string_view bytes) override;
  bool hear_invite(std::string_view bytes);
  /// Answers a datagram.
  void tell(const SocketAddress& to, const std::string& question);
  void redirect(const SocketAddress& to, const std::string& invite);
  void resolve(const SocketAddress& to, const std::string& query);
  http::Response answer(const http::Request& request);
  /// Null: nobody knows the number.
  const LrnRecord* look_up(const std::string& number);

  std::unique_ptr<io::Loop> loop_;
  std::unique_ptr<io::DatagramSocket> socket_;
  std::unique_ptr<http::Server> server_;
  std::unordered_set<std::string> branches_;  // of the INVITEs that were seen
  std::unique_ptr<sip::Message> message_ = std::make_unique<sip::Message>();
  /// An answer that is due later. Kept until the server goes: a test asks little.
  struct Pending {
    Pending(Body& owner, const SocketAddress& peer, std::string_view bytes)
        : body(owner),
          to(peer),
          question(bytes),
          due(Timer::member<&Pending::tell, Pending>(), this) {}
    void tell() { body.tell(to, question); }
    Body& body;
    SocketAddress to;
    std::string question;
    Timer due;
  };
  std::vector<std::unique_ptr<Pending>> pending_;
};

}  // namespace tandem::sim
