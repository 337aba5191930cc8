// Inside of a simulated name server.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "io/dns_message.hpp"
#include "io/loop.hpp"
#include "sim/sim_network.hpp"
#include "tandem/sim.hpp"

namespace tandem::sim {

/// Threading: loop-bound.
struct DnsServer::Body final : private io::DatagramHandler, private io::AcceptHandler {
  static Result<std::unique_ptr<Body>> create(SimNetwork& network, const SocketAddress& address);
  ~Body() override;

  struct RecordSet {
    std::vector<std::string> data;  // as on the wire
    std::string alias;              // of CNAME: where it leads
    std::uint32_t ttl_s = 60;
  };
  std::map<std::string, std::map<std::uint16_t, RecordSet>> zone;  // by name in lower case
  std::vector<std::string> asked;
  std::uint32_t negative_ttl_s = 30;
  int code = 0;
  bool is_silent = false, is_truncating = false, follows_aliases = true;
  IpAddress forged;

 private:
  class Connection;
  void on_datagram(const SocketAddress& from, std::string_view bytes) override;
  void on_accept(std::unique_ptr<io::StreamConnection> connection) override;
  /// "": nobody is answered.
  std::string answer(std::string_view query, bool is_stream);
  void forge(const SocketAddress& to, std::string_view query);

  std::unique_ptr<io::Loop> loop_;
  std::unique_ptr<io::DatagramSocket> socket_;
  std::unique_ptr<io::StreamListener> listener_;
  std::vector<std::unique_ptr<Connection>> connections_;  // until the server goes
};

/// The data of a record as on the wire. Errors: invalid_argument.
Result<std::string> dns_record_data(std::string_view type, std::string_view text);

}  // namespace tandem::sim
