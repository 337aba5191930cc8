// The public class: an HTTP server on a loop of its own, answering from the endpoints.
#include "admin/endpoints.hpp"
#include "admin/http_server.hpp"
#include "io/loop.hpp"
#include "tandem/admin.hpp"

namespace tandem {

class AdminServer::Body {
 public:
  Body(Switch& served, std::string token) : endpoints_(served, std::move(token)) {}

  ~Body() {
    // After stop() this thread is the loop thread, so that sockets and timers may go.
    if (loop_ != nullptr) loop_->stop();
    server_.reset();
  }
  Body(const Body&) = delete;
  Body& operator=(const Body&) = delete;

  Result<void> open(const SocketAddress& listen) {
    auto loop = network_->create_loop("admin");
    if (!loop) return std::move(loop).error();
    loop_ = std::move(loop).value();
    auto server =
        admin::HttpServer::create(*loop_, listen, [this](const admin::HttpRequest& request) {
          return endpoints_.answer(request, server_->counters());
        });
    if (!server) return std::move(server).error();
    server_ = std::move(server).value();
    address_ = server_->address();
    loop_->start();
    return {};
  }

  [[nodiscard]] const SocketAddress& address() const noexcept { return address_; }

 private:
  admin::Endpoints endpoints_;
  std::unique_ptr<io::Network> network_ = io::make_system_network();
  std::unique_ptr<io::Loop> loop_;
  std::unique_ptr<admin::HttpServer> server_;
  SocketAddress address_;
};

AdminServer::AdminServer() noexcept = default;
AdminServer::~AdminServer() = default;
AdminServer::AdminServer(AdminServer&&) noexcept = default;
AdminServer& AdminServer::operator=(AdminServer&&) noexcept = default;

Result<AdminServer> AdminServer::create(const SwitchConfig& config, Switch& served) {
  AdminServer server;
  if (!config.admin_listen) return server;
  if (!config.admin_listen->ip.is_loopback() && config.admin_token.empty()) {
    return Error{ErrorCode::invalid_argument,
                 "admin API on " + config.admin_listen->to_string() + " needs a token"};
  }
  server.body_ = std::make_unique<Body>(served, config.admin_token);
  if (auto opened = server.body_->open(*config.admin_listen); !opened)
    return std::move(opened).error();
  return server;
}

SocketAddress AdminServer::address() const noexcept {
  return body_ != nullptr ? body_->address() : SocketAddress{};
}

}  // namespace tandem
