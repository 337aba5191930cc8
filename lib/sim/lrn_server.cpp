#include "sim/lrn_server.hpp"

#include <array>

#include "sip/content.hpp"
#include "sip/writer.hpp"

namespace tandem::sim {
namespace {

/// A body that comes when its time has come.
class LateBody final : public http::Stream {
 public:
  LateBody(std::string body, std::int64_t due_us) : body_(std::move(body)), due_us_(due_us) {}
  std::string next(std::int64_t monotonic_us) override {
    if (monotonic_us < due_us_) return {};
    is_over_ = true;
    return std::exchange(body_, std::string());
  }
  [[nodiscard]] bool is_over() const override { return is_over_; }

 private:
  std::string body_;
  const std::int64_t due_us_;
  bool is_over_ = false;
};

/// Never says anything more.
class Silence final : public http::Stream {
 public:
  std::string next(std::int64_t) override { return {}; }
  [[nodiscard]] bool is_over() const override { return false; }
};

std::string record_json(const LrnRecord& record) {
  const auto text = [](const std::string& value) {
    return value.empty() ? std::string("null") : "\"" + value + "\"";
  };
  return "{\"lrn\":" + text(record.lrn) + ",\"region\":" + text(record.region) + "}";
}

constexpr std::size_t name_at = 12;    // in a query
constexpr std::size_t opt_bytes = 11;  // at its end

/// The digits that the name of a query begins with, in their order (RFC 6116 section 3.2).
std::string number_of_query(std::string_view query) {
  std::string number;
  for (std::size_t at = name_at; at + 1 < query.size() && query[at] == 1; at += 2)
    number.insert(number.begin(), query[at + 1]);
  return number;
}

}  // namespace

Result<std::unique_ptr<LrnServer::Body>> LrnServer::Body::create(SimNetwork& network,
                                                                 LrnResolverKind kind,
                                                                 const SocketAddress& address) {
  auto body = std::make_unique<Body>(kind, address);
  auto loop = network.create_loop("lrn " + address.to_string(), address.ip);
  if (!loop) return loop.error();
  body->loop_ = std::move(*loop);
  if (kind == LrnResolverKind::sip302 || kind == LrnResolverKind::naptr) {
    auto socket = body->loop_->open_datagram(address, {}, *body);
    if (!socket) return socket.error();
    body->socket_ = std::move(*socket);
  } else if (kind == LrnResolverKind::http) {
    auto server = http::Server::create(
        *body->loop_, address,
        [raw = body.get()](const http::Request& request) { return raw->answer(request); });
    if (!server) return server.error();
    body->server_ = std::move(*server);
  } else {
    return Error{ErrorCode::invalid_argument, "a resolver of kind host has no server"};
  }
  body->loop_->start();
  return body;
}

LrnServer::Body::~Body() {
  pending_.clear();
  server_.reset();
  socket_.reset();
  if (loop_ != nullptr) loop_->stop();
}

const LrnRecord* LrnServer::Body::look_up(const std::string& number) {
  asked.push_back(number);
  const auto found = records.find(number);
  return found == records.end() ? nullptr : &found->second;
}

http::Response LrnServer::Body::answer(const http::Request& request) {
  std::string number = request.path.back();
  for (const auto& [name, value] : request.query) {
    if (name == "number") number = value;
  }
  const LrnRecord* const record = look_up(number);
  http::Response response;
  response.status = status != 0 ? status : record == nullptr ? 404 : 200;
  response.body = record == nullptr ? "{}" : record_json(*record);
  // A stream has no length of its own, and without one the answer ends with the connection.
  if (is_silent || delay_us > 0)
    response.headers.emplace_back("Content-Length", std::to_string(response.body.size()));
  if (is_silent) {
    response.body.clear();
    response.stream = std::make_unique<Silence>();
  } else if (delay_us > 0) {
    response.stream = std::make_unique<LateBody>(std::move(response.body),
                                                 loop_->clock().monotonic_us() + delay_us);
    response.body.clear();
  }
  return response;
}

void LrnServer::Body::on_datagram(const SocketAddress& from, std::string_view bytes) {
  if (kind == LrnResolverKind::naptr) {
    if (bytes.size() <= name_at) return;
    (void)look_up(number_of_query(bytes));
  } else if (!hear_invite(bytes)) {
    return;
  }
  if (is_silent) return;
  if (delay_us == 0) return tell(from, std::string(bytes));
  pending_.push_back(std::make_unique<Pending>(*this, from, bytes));
  loop_->timers().start(pending_.back()->due, delay_us);
}

void LrnServer::Body::tell(const SocketAddress& to, const std::string& question) {
  if (kind == LrnResolverKind::naptr) return resolve(to, question);
  redirect(to, question);
}

/// False: it is none.
bool LrnServer::Body::hear_invite(std::string_view bytes) {
  if (sip::scan(bytes, sip::Framing::datagram, *message_).kind != sip::Fault::Kind::none)
    return false;
  if (message_->is_request && message_->method == sip::Method::ack) ++acknowledged;
  if (!message_->is_request || message_->method != sip::Method::invite) return false;
  if (branches_.insert(std::string(message_->vias[0].branch)).second) {
    sip::Unescaped room;
    (void)look_up(std::string(sip::uri_user(message_->request_uri, room)));
  }
  return true;
}

void LrnServer::Body::redirect(const SocketAddress& to, const std::string& invite) {
  if (sip::scan(invite, sip::Framing::datagram, *message_).kind != sip::Fault::Kind::none) return;
  sip::Unescaped room;
  const std::string number(sip::uri_user(message_->request_uri, room));
  const auto found = records.find(number);
  std::array<char, 4096> buffer;
  sip::MessageWriter writer(buffer.data(), buffer.size());
  sip::ResponseHead head;
  head.status = status != 0 ? status : found == records.end() ? 404 : 302;
  head.to_tag = "lrn";
  head.source = to;
  sip::write_response_head(writer, *message_, head);
  if (head.status == 302 && found != records.end()) {
    const LrnRecord& record = found->second;
    std::string contact = "<sip:" + number + ";npdi";
    if (!record.lrn.empty()) contact += ";rn=" + record.lrn;
    contact += "@" + address.to_string() + ";user=phone";
    if (!record.region.empty()) contact += ";region=" + record.region;
    writer.header("Contact", contact + ">");
  }
  writer.finish();
  if (writer.ok()) socket_->send(to, writer.view());
}

void LrnServer::Body::resolve(const SocketAddress& to, const std::string& query) {
  const auto found = records.find(number_of_query(query));
  const bool is_known = status == 0 && found != records.end();
  std::string answer = query;
  answer[2] = static_cast<char>(0x81);                                           // a response
  answer[3] = static_cast<char>(0x80 | (status >= 500 ? 2 : is_known ? 0 : 3));  // with this code
  if (is_known) {
    const LrnRecord& record = found->second;
    std::string uri = "tel:\\1;npdi";
    if (!record.lrn.empty()) uri += ";rn=" + record.lrn;
    if (!record.region.empty()) uri += ";region=" + record.region;
    std::string data("\0\x0a\0\x64", 4);  // order and preference
    for (const std::string& text :
         {std::string("u"), std::string("E2U+pstn:tel"), "!^(.*)$!" + uri + '!'}) {
      data += static_cast<char>(text.size());
      data += text;
    }
    data += '\0';
    answer[7] = 1;
    std::string naptr("\xc0\x0c\0\x23\0\1\0\0\1\x2c\0", 11);  // of the name that was asked for
    naptr += static_cast<char>(data.size());
    // Before the record of the additional section, which the client sent and gets back.
    answer.insert(answer.size() - opt_bytes, naptr + data);
  }
  socket_->send(to, answer);
}

LrnServer::LrnServer(std::unique_ptr<Body> body) : body_(std::move(body)) {}
LrnServer::~LrnServer() = default;
void LrnServer::set(const std::string& number, const LrnRecord& record) {
  body_->records[number] = record;
}
void LrnServer::set_delay_us(std::int64_t delay_us) { body_->delay_us = delay_us; }
void LrnServer::set_status(int status) { body_->status = status; }
void LrnServer::set_silent(bool silent) { body_->is_silent = silent; }
const std::vector<std::string>& LrnServer::asked() const { return body_->asked; }
std::uint64_t LrnServer::acknowledged() const { return body_->acknowledged; }

}  // namespace tandem::sim
