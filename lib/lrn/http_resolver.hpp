// Asking by HTTP GET.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "http/client.hpp"
#include "io/loop.hpp"
#include "lrn/resolver.hpp"

namespace tandem::lrn {

/// 200 with a JSON object is an answer, every other response refuses; 5xx counts as unreachable.
class HttpResolver final : public Resolver, private http::ClientEvents {
 public:
  /// `config`, `loop` and `events` outlive the resolver. `tls`: of `config.https`.
  HttpResolver(const LrnResolverConfig& config, const http::ClientTls& tls, io::Loop& loop,
               ResolverEvents& events);

  [[nodiscard]] bool ask(std::uint64_t id, std::string_view number, unsigned attempt) override;
  void forget(std::uint64_t id) override;

 private:
  void on_response(std::uint64_t id, http::ReceivedResponse& response) override;
  void on_failure(std::uint64_t id, std::string_view reason) override;

  const LrnResolverConfig& config_;
  ResolverEvents& events_;
  std::vector<std::unique_ptr<http::Client>> clients_;  // by address
};

/// The bytes of a request for `number`, escaped as RFC 3986 section 2.1 wants it.
[[nodiscard]] std::string http_question(const LrnResolverConfig& config,
                                        const SocketAddress& server, std::string_view number);

}  // namespace tandem::lrn
