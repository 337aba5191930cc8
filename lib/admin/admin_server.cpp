// The public class: an HTTP server on a loop of its own, answering from the endpoints.
#include "admin/endpoints.hpp"
#include "http/server.hpp"
#include "io/loop.hpp"
#include "tandem/admin.hpp"

namespace tandem {

class AdminServer::Body {
 public:
  Body(Switch& served, std::string token)
      : endpoints_(served, std::move(token), network_->clock()) {}

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
    auto server = http::Server::create(
        *loop_, listen,
        [this](const http::Request& request) {
          return endpoints_.answer(request, server_->counters());
        },
        [this](const http::Request& head) { return endpoints_.body_limit(head); },
        [this](const http::Request& head) { return endpoints_.knows(head); });
    if (!server) return std::move(server).error();
    server_ = std::move(server).value();
    address_ = server_->address();
    loop_->start();
    return {};
  }

  [[nodiscard]] const SocketAddress& address() const noexcept { return address_; }

 private:
  const std::unique_ptr<io::Network> network_ = io::make_system_network();
  admin::Endpoints endpoints_;
  std::unique_ptr<io::Loop> loop_;
  std::unique_ptr<http::Server> server_;
  SocketAddress address_;
};

AdminAnswer answer_offline(Provisioning& objects, std::string_view method, std::string_view target,
                           std::string_view content_type, std::string_view body) {
  // Through the reader of requests, so that a target means here what it means over the wire.
  std::string head(method);
  head.append(" ").append(target).append(" HTTP/1.1\r\nHost: localhost\r\nContent-Type: ");
  head.append(content_type).append("\r\nContent-Length: ").append(std::to_string(body.size()));
  head.append("\r\n\r\n");
  http::RequestReader reader(
      [](const http::Request&) { return admin::ProvisionEndpoints::body_bytes_max; });
  (void)reader.append(head);  // it is shorter than what any reader takes, or refused below
  (void)reader.read();        // the length of the body is known from here on
  if (!reader.append(body) || reader.read() != http::RequestReader::Outcome::complete)
    return {reader.status() != 0 ? reader.status() : 413, "text/plain", reader.reason() + "\n"};
  auto answer = admin::ProvisionEndpoints(objects).answer(reader.request());
  if (!answer) return {404, "text/plain", "needs a running switch\n"};
  return {answer->status, answer->content_type, std::move(answer->body)};
}

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
