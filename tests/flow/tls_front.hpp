// What stands before a server of HTTP and speaks TLS for it, on the simulated network.
#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "io/tls.hpp"
#include "sim/world_access.hpp"

namespace tandem::sim::test {

/// Passes what comes over TLS to `server`, and back. Lives as long as the world runs.
class TlsFront final : private io::AcceptHandler {
 public:
  TlsFront(World& world, const SocketAddress& address, const SocketAddress& server,
           const TlsConfig& files)
      : server_(server),
        loop_(WorldAccess::network(world).create_loop("front", address.ip).value()) {
    std::string_view key;
    context_ = io::TlsContext::create(files, key).value();
    listener_ = loop_->listen(address, false, *this).value();
    loop_->start();
  }
  ~TlsFront() override {
    loop_->stop();
    pairs_.clear();
    listener_.reset();
  }
  /// Connections so far.
  [[nodiscard]] std::size_t connections() const { return pairs_.size(); }

 private:
  struct Side final : io::StreamHandler {
    std::unique_ptr<io::StreamConnection> stream;
    Side* other = nullptr;
    bool is_over = false;
    void on_bytes(std::string_view bytes) override {
      if (!other->is_over) (void)other->stream->send(bytes);
    }
    void on_closed(const Error&) override { is_over = true; }
  };
  struct Pair {
    Side near, far;
  };

  void on_accept(std::unique_ptr<io::StreamConnection> stream) override {
    auto pair = std::make_unique<Pair>();
    pair->near.other = &pair->far;
    pair->far.other = &pair->near;
    pair->near.stream =
        context_->accept(*loop_, std::move(stream), ClientCertificate::none).value();
    pair->far.stream = loop_->connect(server_, pair->far).value();
    pair->near.stream->set_handler(pair->near);
    pairs_.push_back(std::move(pair));
  }

  const SocketAddress server_;
  const std::unique_ptr<io::Loop> loop_;
  std::shared_ptr<const io::TlsContext> context_;
  std::unique_ptr<io::StreamListener> listener_;
  std::vector<std::unique_ptr<Pair>> pairs_;
};

}  // namespace tandem::sim::test
