#include "switch/peer_totals.hpp"

#include <algorithm>
#include <memory>
#include <utility>

#include "base/text.hpp"
#include "http/client.hpp"
#include "http/syntax.hpp"
#include "io/tls.hpp"
#include "remote/http_exchange.hpp"
#include "remote/tls_stream.hpp"

namespace tandem {
namespace {

constexpr std::int64_t answer_wait_us = 120'000'000;  // files of a long period are counted there

/// Connects to one address, whatever name the peer has.
class AddressDialer final : public remote::Dialer {
 public:
  AddressDialer(const Clock& clock, SocketAddress address)
      : below_(remote::make_tcp_dialer(clock)), address_(address) {}
  Result<std::unique_ptr<remote::ByteStream>> connect(const std::string&, std::uint16_t,
                                                      std::int64_t until_us) override {
    return below_->connect(address_.ip.to_string(), address_.port, until_us);
  }

 private:
  const std::unique_ptr<remote::Dialer> below_;
  const SocketAddress address_;
};

}  // namespace

std::string peer_totals_request(const ReconciliationPeer& peer, const InterconnectQuery& query) {
  std::string request = "GET /api/v1/interconnect/totals?side=customer&gateway=";
  http::append_escaped(peer.gateway, request);
  request +=
      "&since=" + format_time_us(query.since_us) + "&until=" + format_time_us(query.until_us);
  request += " HTTP/1.1\r\nHost: " + http::host_of(peer.https.name, peer.address) +
             "\r\nAccept: application/json\r\n";
  if (!peer.token.empty()) request += "Authorization: Bearer " + peer.token + "\r\n";
  return request + "\r\n";
}

Result<InterconnectTotals> peer_totals(const SwitchConfig& config, const InterconnectQuery& query) {
  const auto& vendors = config.provision.vendor_gateways;
  const auto vendor = std::find_if(vendors.begin(), vendors.end(), [&](const VendorGateway& each) {
    return each.id == query.gateway && each.reconciliation;
  });
  if (!query.is_vendor || vendor == vendors.end())
    return Error{ErrorCode::not_found,
                 "\"" + query.gateway + "\" was no vendor gateway with \"reconciliation\""};
  const ReconciliationPeer& peer = *vendor->reconciliation;
  const SystemClock clock;
  std::unique_ptr<remote::Dialer> dialer = std::make_unique<AddressDialer>(clock, peer.address);
  if (peer.https.is_on) {
    TlsConfig files;
    files.ca = peer.https.ca;
    files.certificate = peer.https.certificate;
    files.key = peer.https.key;
    auto with_tls =
        remote::make_tls_dialer(clock, io::resolved_tls(files, config.folder), std::move(dialer));
    if (!with_tls) return std::move(with_tls).error();
    dialer = std::move(*with_tls);
  }
  remote::HttpUrl url;
  url.host = peer.https.name.empty() ? peer.address.ip.to_string() : peer.https.name;
  url.port = peer.address.port;
  remote::HttpExchange exchange(*dialer, std::move(url));
  const auto response =
      exchange.exchange(peer_totals_request(peer, query), clock.monotonic_us() + answer_wait_us);
  const std::string who = "switch at " + peer.address.to_string() + ": ";
  if (!response) return Error{response.error().code, who + response.error().message};
  if (response->status != 200)
    return Error{ErrorCode::io,
                 who + "it answered with status " + std::to_string(response->status)};
  return parse_interconnect_totals(response->body);
}

}  // namespace tandem
