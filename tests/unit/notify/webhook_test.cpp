#include "notify/webhook.hpp"

#include <doctest/doctest.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "http/server.hpp"
#include "notify/notice_json.hpp"
#include "support/fake_network.hpp"

using namespace tandem;
using namespace tandem::notify;
using tandem::test::at;

namespace {

constexpr std::int64_t second_us = 1'000'000;

struct Arrival {
  std::int64_t at_us;
  http::Request request;
};

/// A webhook and a server that answers as `answer` says.
struct Fixture {
  test::FakeNetwork network;
  test::FakeLoop& loop = network.create_loop();
  test::FakeLoop& server_loop = network.create_loop();
  std::function<http::Response(const http::Request&)> answer = [](const http::Request&) {
    return http::Response{};
  };
  std::vector<Arrival> arrivals;
  std::unique_ptr<http::Server> server;
  std::map<std::string, Notice> now;  // what a snapshot reads
  Webhook webhook{loop, "Test", [this](const std::string& key) -> std::optional<Notice> {
                    const auto found = now.find(key);
                    if (found == now.end()) return std::nullopt;
                    return found->second;
                  }};

  ~Fixture() { webhook.close(); }
  void listen() {
    auto made =
        http::Server::create(server_loop, at("127.0.0.1:80"), [this](const http::Request& request) {
          arrivals.push_back({network.clock.monotonic_us(), request});
          return answer(request);
        });
    REQUIRE(made);
    server = std::move(*made);
  }
  static WebhookConfig config() {
    WebhookConfig one;
    one.url = "http://127.0.0.1/hook?key=secret";
    return one;
  }
  void aim(const WebhookConfig& wanted = config()) {
    auto target = WebhookTarget::open(wanted, ".");
    REQUIRE_MESSAGE(target.ok(), (target.ok() ? std::string() : target.error().message));
    webhook.set_target(std::move(*target));
    network.settle();
  }
  void offer(const std::string& key, const std::string& body, std::uint64_t sequence = 0) {
    webhook.offer({key, sequence, '"' + body + '"'});
  }
  void run_s(std::int64_t seconds) { network.run_for(seconds * second_us); }
  std::string bodies() const {
    std::string all;
    for (const Arrival& one : arrivals)
      all += one.request.body;
    return all;
  }
};

http::Response status(int code) {
  http::Response response;
  response.status = code;
  return response;
}

}  // namespace

TEST_CASE_FIXTURE(Fixture,
                  "Webhook: a notice is one request, with what its receiver goes by (I-06)") {
  listen();
  WebhookConfig wanted = config();
  wanted.token = "t0ken";
  wanted.secret = "secret";
  wanted.headers = {"X-Site: berlin"};
  aim(wanted);
  offer("a", "one");
  run_s(1);
  REQUIRE(arrivals.size() == 1);
  const http::Request& got = arrivals[0].request;
  CHECK(got.method == "POST");
  CHECK(got.path == std::vector<std::string>{"hook"});
  CHECK(got.body == "\"one\"");
  CHECK(*got.header("content-type") == "application/json");
  CHECK(*got.header("authorization") == "Bearer t0ken");
  CHECK(*got.header("x-site") == "berlin");
  CHECK(got.header("idempotency-key")->starts_with("tandem-Test-"));
  CHECK(*got.header("x-tandem-signature") ==
        http::push_signature("secret", *got.header("x-tandem-timestamp"), got.body));
  const WebhookState state = webhook.state();
  CHECK(state.delivered == 1);
  CHECK(state.waiting == 0);
  CHECK(webhook.take_dead_letters().empty());
}

TEST_CASE_FIXTURE(Fixture,
                  "Webhook: notices of a key keep their order, others do not wait for them") {
  listen();
  answer = [](const http::Request& request) {
    return status(request.body.starts_with("\"slow") ? 500 : 200);
  };
  WebhookConfig wanted = config();
  wanted.connections = 2;
  aim(wanted);
  offer("a", "slow1");
  offer("a", "a2");
  offer("b", "b1");
  run_s(30);
  CHECK(bodies().find("a2") == std::string::npos);
  CHECK(bodies().find("b1") != std::string::npos);
  answer = [](const http::Request&) { return http::Response{}; };
  run_s(61);
  CHECK(bodies().ends_with("\"slow1\"\"a2\""));
  CHECK(webhook.state().delivered == 3);
}

TEST_CASE_FIXTURE(Fixture,
                  "Webhook: of one key the later news comes last, whatever the order of offers") {
  aim();  // nobody listens, so all of it waits
  offer("a", "3", 3);
  run_s(1);  // under way, or waiting for its second try
  offer("a", "5", 5);
  offer("a", "4", 4);
  offer("a", "5", 5);
  run_s(1);
  listen();
  run_s(120);
  CHECK(bodies() == "\"3\"\"4\"\"5\"");
}

TEST_CASE_FIXTURE(Fixture, "Webhook: news that was overtaken while it was offered is none") {
  listen();
  aim();
  offer("a", "5", 5);
  run_s(1);
  offer("a", "4", 4);
  offer("b", "3", 3);
  offer("a", "5 again", 5);  // of a snapshot
  run_s(1);
  CHECK(bodies().find("\"4\"") == std::string::npos);
  CHECK(bodies().find("\"3\"") != std::string::npos);
  CHECK(bodies().find("\"5 again\"") != std::string::npos);
}

TEST_CASE_FIXTURE(Fixture, "Webhook: one notice that always fails does not hold up the others") {
  listen();
  answer = [](const http::Request& request) {
    return status(request.body.starts_with("\"bad") ? 500 : 200);
  };
  WebhookConfig wanted = config();
  wanted.connections = 1;
  aim(wanted);
  offer("a", "bad");
  for (int i = 0; i < 10; ++i)
    offer("k" + std::to_string(i), "good");
  run_s(5);
  CHECK(webhook.state().delivered == 10);
  CHECK(webhook.state().waiting == 1);
}

TEST_CASE_FIXTURE(Fixture,
                  "Webhook: pauses double while the server is away, and one notice is tried") {
  listen();
  answer = [](const http::Request&) { return status(503); };
  WebhookConfig wanted = config();
  wanted.retry_max_ms = 8'000;
  aim(wanted);
  for (int i = 0; i < 10; ++i)
    offer("k" + std::to_string(i), "x");
  run_s(1);
  const std::size_t first = arrivals.size();  // those that were begun before the first answer
  CHECK(first <= 5);
  run_s(60);
  std::vector<std::int64_t> pauses_s;
  for (std::size_t i = first; i < arrivals.size(); ++i)
    pauses_s.push_back((arrivals[i].at_us - arrivals[i - 1].at_us + second_us / 2) / second_us);
  REQUIRE(pauses_s.size() >= 6);
  CHECK(pauses_s[1] == 2 * pauses_s[0]);
  CHECK(pauses_s.back() == 8);
  CHECK(webhook.state().is_failing);
  CHECK(webhook.state().last_error == "\"http://127.0.0.1/hook\": server answered 503");
  answer = [](const http::Request&) { return http::Response{}; };
  run_s(9);
  CHECK(webhook.state().delivered == 10);
  CHECK_FALSE(webhook.state().is_failing);
}

TEST_CASE_FIXTURE(Fixture, "Webhook: a server that asks for a pause gets it, an hour at most") {
  listen();
  answer = [](const http::Request&) {
    http::Response response = status(429);
    response.headers.emplace_back("Retry-After", "90");
    return response;
  };
  aim();
  offer("a", "x");
  run_s(89);
  CHECK(arrivals.size() == 1);
  run_s(3);
  CHECK(arrivals.size() == 2);
}

TEST_CASE_FIXTURE(Fixture,
                  "Webhook: what fails too often, or is refused, becomes a dead letter (I-06)") {
  listen();
  std::string reason;
  WebhookConfig wanted = config();
  wanted.retries = 2;
  SUBCASE("refused") {
    answer = [](const http::Request&) {
      http::Response response = status(422);
      response.body = "no such phone";
      return response;
    };
    reason = "server answered 422: no such phone";
  }
  SUBCASE("by its code") {
    answer = [](const http::Request&) {
      http::Response response;
      response.body = "{\"retCode\": -10007}";
      return response;
    };
    reason = "server answered retCode -10007";
  }
  SUBCASE("failed") {
    answer = [](const http::Request&) { return status(500); };
    reason = "server answered 500";
  }
  aim(wanted);
  offer("a", "lost");
  run_s(10);
  const WebhookState state = webhook.state();
  CHECK(state.waiting == 0);
  CHECK(state.delivered == 0);
  CHECK(state.refused + state.expired == 1);
  CHECK(state.failures == arrivals.size());
  CHECK(arrivals.size() == (state.refused == 1 ? 1 : 3));
  const auto letters = webhook.take_dead_letters();
  REQUIRE(letters.size() == 1);
  CHECK(letters[0].reason == reason);
  CHECK(letters[0].body == "\"lost\"");
  CHECK(webhook.take_dead_letters().empty());
}

TEST_CASE_FIXTURE(Fixture, "Webhook: a repeated request has the key of the first") {
  listen();
  answer = [](const http::Request&) { return status(500); };
  aim();
  offer("a", "x");
  run_s(10);
  REQUIRE(arrivals.size() >= 2);
  CHECK(*arrivals[0].request.header("idempotency-key") ==
        *arrivals[1].request.header("idempotency-key"));
  answer = [](const http::Request&) { return http::Response{}; };
  run_s(60);
  offer("a", "y");
  run_s(1);
  CHECK(*arrivals[0].request.header("idempotency-key") !=
        *arrivals.back().request.header("idempotency-key"));
}

TEST_CASE_FIXTURE(Fixture,
                  "Webhook: beyond the bound the oldest is given up, of the key's own first") {
  WebhookConfig wanted = config();
  wanted.queue_max = 3;
  aim(wanted);
  offer("a", "a1");
  run_s(1);
  offer("b", "b1");
  offer("b", "b2");
  offer("b", "b3");  // in the place of b1
  offer("c", "c1");  // in the place of another one
  network.settle();
  CHECK(webhook.state().waiting == 3);
  CHECK(webhook.state().dropped == 2);
  const auto letters = webhook.take_dead_letters();
  REQUIRE(letters.size() == 2);
  CHECK(letters[0].body == "\"b1\"");
  CHECK(letters[0].reason == "too many notices waited");
  listen();
  run_s(120);
  CHECK(webhook.state().delivered == 3);
  CHECK(bodies().find("b3") != std::string::npos);
  CHECK(bodies().find("c1") != std::string::npos);
}

TEST_CASE_FIXTURE(Fixture,
                  "Webhook: what takes the place of the only one of its key has its turn") {
  WebhookConfig wanted = config();
  wanted.queue_max = 3;
  aim(wanted);
  for (const char* key : {"a", "b", "c"})
    offer(key, key);
  for (int i = 0; i < 5; ++i)
    offer("b", "b" + std::to_string(i));
  network.settle();
  CHECK(webhook.state().waiting == 3);
  listen();
  run_s(120);
  CHECK(webhook.state().delivered == 3);
  CHECK(bodies().find("\"b4\"") != std::string::npos);
}

TEST_CASE_FIXTURE(
    Fixture, "Webhook: a server that says nothing is given up after the time, and asked again") {
  network.ignores_connect = [](const SocketAddress&) { return true; };
  WebhookConfig wanted = config();
  wanted.timeout_ms = 2'000;
  wanted.retries = 1;
  aim(wanted);
  offer("a", "x");
  network.run_for(1'900'000);
  CHECK(webhook.state().failures == 0);
  network.run_for(200'000);
  CHECK(webhook.state().failures == 1);
  CHECK(webhook.state().last_error.ends_with("no answer came within 2000 ms"));
  run_s(4);
  CHECK(webhook.state().expired == 1);
}

TEST_CASE_FIXTURE(
    Fixture,
    "Webhook: a snapshot tells of every key, and takes no more than its share of the queue") {
  listen();
  std::vector<std::string> keys;
  for (int i = 0; i < 1'000; ++i) {
    keys.push_back(std::to_string(i));
    now[keys.back()] = {keys.back(), 0, keys.back()};
  }
  now.erase("7");  // it was removed meanwhile
  std::uint64_t most = 0;
  answer = [&](const http::Request&) {
    most = std::max(most, webhook.state().waiting);
    return http::Response{};
  };
  aim();
  webhook.tell_all(keys);
  CHECK(webhook.state().snapshot_left == 1'000);
  run_s(10);
  CHECK(webhook.state().delivered == 999);
  CHECK(webhook.state().snapshot_left == 0);
  CHECK(most <= Webhook::snapshot_waiting_max);
}

TEST_CASE_FIXTURE(Fixture, "Webhook: a snapshot goes on when the server is back") {
  WebhookConfig wanted = config();
  wanted.retries = 0;
  wanted.connections = 1;
  aim(wanted);
  std::vector<std::string> keys;
  for (int i = 100; i < 200; ++i) {
    keys.push_back(std::to_string(i));
    now[keys.back()] = {keys.back(), 0, keys.back()};
  }
  webhook.tell_all(keys);
  network.run_for(500'000);
  CHECK(webhook.state().expired == 1);
  run_s(600);  // one is tried a minute
  const std::uint64_t lost = webhook.state().expired;
  CHECK(lost < 20);
  listen();
  run_s(61);
  CHECK(webhook.state().delivered == 100 - lost);
  CHECK(webhook.state().snapshot_left == 0);
  CHECK(arrivals.back().request.body == "199");
}

TEST_CASE_FIXTURE(Fixture,
                  "Webhook: what waits goes to a new target, and is given up without one") {
  aim();
  offer("a", "x");
  offer("b", "y");
  run_s(1);
  listen();
  WebhookConfig wanted = config();
  wanted.url = "http://127.0.0.1/other";
  aim(wanted);
  run_s(1);
  REQUIRE(arrivals.size() == 2);
  CHECK(arrivals[0].request.path == std::vector<std::string>{"other"});
  server.reset();
  offer("a", "z");
  network.settle();
  webhook.set_target(std::nullopt);
  network.settle();
  CHECK_FALSE(webhook.is_on());
  CHECK(webhook.state().dropped == 1);
  offer("a", "unheard");
  CHECK(webhook.state().waiting == 0);
}

TEST_CASE_FIXTURE(Fixture, "Webhook: what waits when it is closed is given up, and kept") {
  aim();
  offer("a", "x");
  run_s(1);
  offer("b", "y");  // not even taken over
  webhook.close();
  CHECK(webhook.state().dropped == 2);
  CHECK(webhook.take_dead_letters().size() == 2);
  offer("c", "z");
  CHECK(webhook.state().waiting == 0);
}

TEST_CASE_FIXTURE(Fixture, "Webhook: all that waits when it is closed is kept, however much") {
  WebhookConfig wanted = config();
  wanted.queue_max = 20'000;
  aim(wanted);
  const std::size_t many = Webhook::dead_letters_max + 100;
  for (std::size_t i = 0; i < many; ++i)
    offer(std::to_string(i), "x");
  network.settle();
  webhook.close();
  CHECK(webhook.take_dead_letters().size() == many);
  CHECK(webhook.state().dead_letters_lost == 0);
}

TEST_CASE_FIXTURE(Fixture, "Webhook: who fails on all connections leaves a place once") {
  listen();
  WebhookConfig wanted = config();
  wanted.url = "http://crm.example/hook";
  aim(wanted);
  webhook.set_places({at("127.0.0.9:80"), at("127.0.0.1:80")});
  network.settle();
  for (int i = 0; i < 4; ++i)
    offer("k" + std::to_string(i), "x");
  network.run_for(1'500'000);  // behind the first pause
  CHECK(webhook.state().delivered == 4);
}

TEST_CASE_FIXTURE(Fixture, "Webhook: a name is told of its addresses, the next when one fails") {
  listen();
  WebhookConfig wanted = config();
  wanted.url = "http://crm.example/hook";
  aim(wanted);
  offer("a", "x");
  network.settle();
  CHECK(webhook.state().last_error.find("its name stands for no address") != std::string::npos);
  webhook.set_places({at("127.0.0.9:80"), at("127.0.0.1:80")});
  run_s(5);
  REQUIRE(arrivals.size() == 1);
  CHECK(*arrivals[0].request.header("host") == "crm.example");
}

TEST_CASE("Webhook: what cannot be meant is refused, without what may be a key") {
  const auto message = [](auto change) {
    WebhookConfig config;
    config.url = "http://a.example/hook?key=secret";
    change(config);
    const auto checked = check_webhook(config);
    return checked ? std::string() : checked.error().message;
  };
  CHECK(message([](WebhookConfig&) {}).empty());
  CHECK(message([](WebhookConfig& c) { c.url = "ftp://a/?key=1"; }) ==
        "url \"ftp://a/\" did not begin with http:// or https://");
  CHECK(message([](WebhookConfig& c) { c.retries = -1; }) == "retries -1 was not in 0..1000");
  CHECK(message([](WebhookConfig& c) { c.retry_min_ms = 70'000; }) ==
        "retry_min_ms 70000 was not in 100..retry_max_ms");
  CHECK(message([](WebhookConfig& c) { c.queue_max = 0; }) == "queue_max 0 was not in 1..1000000");
  CHECK(message([](WebhookConfig& c) { c.connections = 65; }) == "connections 65 was not in 1..64");
  CHECK(message([](WebhookConfig& c) { c.timeout_ms = 99; }) ==
        "timeout_ms 99 was not in 100..120000");
  CHECK(message([](WebhookConfig& c) { c.tls_ca = "ca.pem"; }) ==
        "tls_ca \"ca.pem\" is for a url with https only");
  CHECK(message([](WebhookConfig& c) { c.headers = {"Host: x"}; }).find("\"host\"") !=
        std::string::npos);
}

TEST_CASE("PhoneOnline: the body has the fields of the reference, and nothing else (I-02)") {
  PhoneOnline told;
  told.number = "1001";
  told.dids = {"442071110000", "44\"7"};
  told.is_online = true;
  told.at_us = 1'767'225'600'123'456;
  told.local = at("10.0.0.1:5060");
  told.remote = at("192.0.2.7:5062");
  told.product = "phone\xff 1";
  CHECK(phone_online_json(told) ==
        "{\"e164\":\"1001\",\"dids\":[\"442071110000\",\"44\\\"7\"],\"online\":true,"
        "\"eventTime\":1767225600123,\"localIp\":\"10.0.0.1\",\"localPort\":5060,"
        "\"remoteIp\":\"192.0.2.7\",\"productId\":\"phone\xef\xbf\xbd 1\"}");
  CHECK(phone_online_json({}) ==
        "{\"e164\":\"\",\"dids\":[],\"online\":false,\"eventTime\":0,\"localIp\":\"\","
        "\"localPort\":0,\"remoteIp\":\"\",\"productId\":\"\"}");
  CHECK(return_code("{\"retCode\":0}") == 0);
  CHECK(return_code("{\"retCode\":\"0\"}") == std::nullopt);
  CHECK(return_code("OK") == std::nullopt);
  CHECK(dead_letter_json({5, "why", "{\"a\":1}"}) ==
        "{\"at_us\":5,\"reason\":\"why\",\"notice\":{\"a\":1}}");
}
