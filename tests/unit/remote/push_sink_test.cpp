#include "remote/push_sink.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "fake_server.hpp"
#include "sink_line.hpp"

using namespace tandem;
using namespace tandem::remote;
using namespace tandem::remote::test;

namespace {

CdrPushConfig config_of(std::string folder = "/push") {
  CdrPushConfig config;
  config.folder = std::move(folder);
  config.url = "http://billing.example:8088/cdrs?key=1";
  config.batch_records = 10;
  return config;
}

struct Pushed {
  SinkLine line;
  FakeServer server{line.clock};
  std::unique_ptr<PushSink> sink;

  void open(const CdrPushConfig& config = config_of(), std::uint32_t set_aside_after = 0) {
    line.close();
    sink.reset();
    auto opened =
        PushSink::open(config, line.disk, line.clock, std::make_unique<FakeDialer>(server));
    REQUIRE_MESSAGE(opened.ok(), (opened.ok() ? std::string() : opened.error().message));
    sink = std::move(*opened);
    line.open(*sink, set_aside_after);
  }
  [[nodiscard]] std::string set_aside() const {
    const auto content = cdr::read_file(*line.disk, "/j/sink.set-aside");
    return content ? *content : std::string();
  }
};

/// Whether every record is there, whatever came twice.
bool holds_all(const std::vector<std::uint64_t>& stored, const std::vector<std::uint64_t>& ids) {
  const std::set<std::uint64_t> unique(stored.begin(), stored.end());
  return std::all_of(ids.begin(), ids.end(), [&](auto id) { return unique.contains(id); });
}

}  // namespace

TEST_CASE("CdrPush: records come as JSON arrays of bounded size, each once and in order (C-06)") {
  Pushed pushed;
  CdrPushConfig config = config_of();
  config.token = "s3cret";
  config.headers = {"X-Site: berlin-1"};
  pushed.open(config);
  pushed.line.append(25);
  CHECK(pushed.line.drain());
  CHECK(pushed.server.stored == pushed.line.ids);
  REQUIRE(pushed.server.requests.size() == 3);
  const http::Request& first = pushed.server.requests.front();
  CHECK(first.method == "POST");
  CHECK(first.path == std::vector<std::string>{"cdrs"});
  REQUIRE(first.query.size() == 1);
  CHECK(first.query.front().second == "1");
  CHECK(*first.header("host") == "billing.example:8088");
  CHECK(*first.header("content-type") == "application/json");
  CHECK(*first.header("authorization") == "Bearer s3cret");
  CHECK(*first.header("x-site") == "berlin-1");
  CHECK(*first.header("idempotency-key") ==
        "tandem-" + std::to_string(pushed.line.ids[0]) + "-" + std::to_string(pushed.line.ids[9]));
  CHECK(first.header("x-tandem-signature") == nullptr);
  CHECK(first.body.starts_with("[{\"record_id\":"));
  CHECK(first.body.ends_with("}]"));
  CHECK(ids_in(first.body).size() == 10);
  CHECK(ids_in(pushed.server.requests.back().body).size() == 5);
  CHECK(pushed.server.connections == 1);  // one connection, kept
}

TEST_CASE(
    "CdrPush: a place is kept after the acknowledgement, so a restart repeats nothing (C-06)") {
  Pushed pushed;
  pushed.open();
  pushed.line.append(12);
  CHECK(pushed.line.drain());
  pushed.open();
  pushed.line.append(3);
  CHECK(pushed.line.drain());
  CHECK(pushed.server.stored == pushed.line.ids);
}

TEST_CASE("CdrPush: a server that is down for a day gets everything when it is back (C-06)") {
  Pushed pushed;
  pushed.open();
  pushed.server.is_down = true;
  pushed.line.append(30);
  for (int minute = 0; minute < 24 * 60; ++minute) {
    CHECK_FALSE(pushed.line.runner->pump());
    pushed.line.clock.advance_us(60'000'000);
  }
  const CdrSinkState state = pushed.line.runner->state();
  CHECK(state.is_failing);
  CHECK(state.last_error.find("Connection refused") != std::string::npos);
  CHECK(state.lag_us >= 23LL * 3'600 * 1'000'000);
  CHECK(state.failures <= 24 * 60 + 1);  // pauses, and no storm
  pushed.server.is_down = false;
  CHECK(pushed.line.drain());
  CHECK(pushed.server.stored == pushed.line.ids);
  CHECK_FALSE(pushed.line.runner->state().is_failing);
}

TEST_CASE("CdrPush: pauses double from one second up to a minute (C-06)") {
  Pushed pushed;
  pushed.open();
  pushed.server.script = [](const http::Request&) { return FakeAnswer{.status = 500}; };
  pushed.line.append(1);
  std::vector<std::int64_t> at_s;
  for (int second = 0; second < 400; ++second) {
    const std::size_t before = pushed.server.requests.size();
    (void)pushed.line.runner->pump();
    if (pushed.server.requests.size() > before) at_s.push_back(second);
    pushed.line.clock.advance_us(1'000'000);
  }
  CHECK(at_s == std::vector<std::int64_t>{0, 1, 3, 7, 15, 31, 63, 123, 183, 243, 303, 363});
}

TEST_CASE("CdrPush: 500 and then 200 stores each record once (C-06)") {
  Pushed pushed;
  pushed.open();
  int asked = 0;
  pushed.server.script = [&](const http::Request&) {
    return FakeAnswer{.status = ++asked % 2 == 1 ? 500 : 200};
  };
  pushed.line.append(45);
  CHECK(pushed.line.drain());
  CHECK(pushed.server.stored == pushed.line.ids);
  CHECK(asked == 10);
}

TEST_CASE("CdrPush: a body whose acknowledgement is lost comes again under the same key (C-06)") {
  Pushed pushed;
  pushed.open();
  int asked = 0;
  pushed.server.script = [&](const http::Request&) { return FakeAnswer{.is_cut = asked++ == 1}; };
  pushed.line.append(30);
  CHECK(pushed.line.drain());
  REQUIRE(pushed.server.requests.size() == 4);
  // The duplicate is recognisable: the same records, the same key, the same bytes.
  CHECK(*pushed.server.requests[1].header("idempotency-key") ==
        *pushed.server.requests[2].header("idempotency-key"));
  CHECK(pushed.server.requests[1].body == pushed.server.requests[2].body);
  CHECK(pushed.server.stored.size() == 40);
  CHECK(holds_all(pushed.server.stored, pushed.line.ids));
}

TEST_CASE("CdrPush: a silent server and one that drips are given up at the deadline (C-06)") {
  for (const bool drips : {false, true}) {
    CAPTURE(drips);
    Pushed pushed;
    CdrPushConfig config = config_of();
    config.timeout_ms = 2'000;
    pushed.open(config);
    pushed.server.script = [&](const http::Request&) {
      return drips ? FakeAnswer{.byte_gap_us = 400'000} : FakeAnswer{.is_silent = true};
    };
    pushed.line.append(3);
    const std::int64_t begin_us = pushed.line.clock.monotonic_us();
    CHECK_FALSE(pushed.line.runner->pump());
    CHECK(pushed.line.clock.monotonic_us() - begin_us == 2'000'000);
    CHECK(pushed.line.runner->state().last_error.find("deadline") != std::string::npos);
    pushed.server.script = [](const http::Request&) { return FakeAnswer{}; };
    CHECK(pushed.line.drain());
    CHECK(holds_all(pushed.server.stored, pushed.line.ids));
  }
}

TEST_CASE("CdrPush: a connection that the server closed while idle costs no failure (C-06)") {
  Pushed pushed;
  pushed.open();
  pushed.line.append(2);
  CHECK(pushed.line.drain());
  ++pushed.server.generation;  // closed behind our back
  pushed.line.append(2);
  CHECK(pushed.line.runner->pump());
  CHECK(pushed.line.runner->state().failures == 0);
  CHECK(pushed.server.connections == 2);
  CHECK(pushed.server.stored == pushed.line.ids);
}

TEST_CASE(
    "CdrPush: a record that the server refuses is found and set aside with its words (C-06)") {
  for (const int status : {400, 413, 422}) {
    CAPTURE(status);
    Pushed pushed;
    pushed.open(config_of(), 2);
    pushed.line.append(30);
    const std::set<std::uint64_t> poison{pushed.line.ids[0], pushed.line.ids[17],
                                         pushed.line.ids[18]};
    pushed.server.script = [&](const http::Request& request) {
      const auto ids = ids_in(request.body);
      const bool is_bad =
          std::any_of(ids.begin(), ids.end(), [&](auto id) { return poison.contains(id); });
      return is_bad ? FakeAnswer{.status = status, .body = "no such\r\ncustomer"} : FakeAnswer{};
    };
    CHECK(pushed.line.drain());
    std::vector<std::uint64_t> expected;
    for (const std::uint64_t id : pushed.line.ids) {
      if (!poison.contains(id)) expected.push_back(id);
    }
    CHECK(pushed.server.stored == expected);
    CHECK(pushed.line.runner->state().set_aside == 3);
    const std::string kept = pushed.set_aside();
    CHECK(kept.find("server answered " + std::to_string(status) + ": no such") !=
          std::string::npos);
    for (const std::uint64_t id : poison)
      CHECK(kept.find("\"record_id\":" + std::to_string(id) + ",") != std::string::npos);
  }
}

TEST_CASE("CdrPush: what says nothing of a record sets none aside (C-06)") {
  for (const int status : {301, 401, 403, 404, 405, 408, 409, 429, 500, 502, 503}) {
    CAPTURE(status);
    Pushed pushed;
    pushed.open(config_of(), 1);
    pushed.line.append(5);
    pushed.server.script = [&](const http::Request&) { return FakeAnswer{.status = status}; };
    CHECK_FALSE(pushed.line.drain(61'000'000, 20));
    CHECK(pushed.line.runner->state().set_aside == 0);
    pushed.server.script = [](const http::Request&) { return FakeAnswer{}; };
    CHECK(pushed.line.drain());
    CHECK(pushed.server.stored == pushed.line.ids);
  }
}

TEST_CASE(
    "CdrPush: an answer before the whole request acknowledges nothing, but may refuse (C-06)") {
  Pushed pushed;
  pushed.open(config_of(), 2);
  pushed.line.append(5);
  pushed.server.early_status = 200;
  CHECK_FALSE(pushed.line.drain(61'000'000, 5));
  CHECK(pushed.line.runner->state().position == 0);
  pushed.server.early_status = 0;
  CHECK(pushed.line.drain());
  CHECK(pushed.server.stored == pushed.line.ids);
  pushed.line.append(1);
  pushed.server.early_status = 413;
  CHECK(pushed.line.drain());
  CHECK(pushed.line.runner->state().set_aside == 1);
}

TEST_CASE("CdrPush: no message has a secret of the configuration (C-06)") {
  const auto refusal = [](auto change) {
    CdrPushConfig config = config_of();
    change(config);
    const auto checked = check_cdr_push(config);
    REQUIRE_FALSE(checked.ok());
    return checked.error().message;
  };
  for (const char* url :
       {"http://user:s3cret@a/", "http://user:s3?cret@a/", "https://a:0/?key=s3cret",
        "user:s3cret@a", "ftp://a/?s3cret", "http://a:0/?key=s3cret"}) {
    CAPTURE(url);
    CHECK(refusal([&](CdrPushConfig& c) { c.url = url; }).find("s3") == std::string::npos);
  }
  for (const char* header : {"s3cret", "X-Api-Key: s3cret\x01", "Host: s3cret"}) {
    CAPTURE(header);
    CHECK(refusal([&](CdrPushConfig& c) { c.headers = {header}; }).find("s3") == std::string::npos);
  }
  Pushed pushed;
  CdrPushConfig config = config_of();
  config.url = "http://billing.example/cdrs?key=s3cret";
  pushed.open(config);
  pushed.server.is_down = true;
  pushed.line.append(1);
  CHECK_FALSE(pushed.line.runner->pump());
  const std::string error = pushed.line.runner->state().last_error;
  CHECK(error.find("http://billing.example/cdrs\"") != std::string::npos);
  CHECK(error.find("s3cret") == std::string::npos);
}

TEST_CASE("CdrPush: a server that asks for a pause is left alone for it (C-06)") {
  Pushed pushed;
  pushed.open();
  pushed.server.script = [](const http::Request&) {
    return FakeAnswer{.status = 503, .headers = "Retry-After: 600\r\n"};
  };
  pushed.line.append(1);
  for (int second = 0; second < 599; ++second) {
    (void)pushed.line.runner->pump();
    pushed.line.clock.advance_us(1'000'000);
  }
  CHECK(pushed.server.requests.size() == 1);
  pushed.server.script = [](const http::Request&) { return FakeAnswer{}; };
  CHECK(pushed.line.drain(1'000'000));
  CHECK(pushed.server.stored == pushed.line.ids);
}

TEST_CASE("CdrPush: a power cut anywhere loses nothing and repeats with known ids (C-06)") {
  SeededRandom random(11);
  for (int round = 0; round < 40; ++round) {
    Pushed pushed;
    pushed.open();
    for (int step = 0; step < 6; ++step) {
      pushed.line.append(1 + random.below(25));
      pushed.server.script = [&](const http::Request&) {
        return FakeAnswer{.is_cut = random.below(5) == 0};
      };
      if (random.below(3) == 0) pushed.line.disk->fail_write_in = 1 + random.below(6);
      (void)pushed.line.runner->pump();
      const std::uint64_t durable = pushed.line.journal->durable_sequence();
      pushed.line.close();
      pushed.sink.reset();
      pushed.line.disk->cut_power(random);
      std::erase_if(pushed.line.ids, [&](auto id) { return id > durable; });
      pushed.line.clock.advance_us(100'000'000);
      pushed.open();
    }
    pushed.server.script = [](const http::Request&) { return FakeAnswer{}; };
    CHECK(pushed.line.drain());
    CHECK(holds_all(pushed.server.stored, pushed.line.ids));
  }
}

TEST_CASE("CdrPush: requests are signed so that a receiver can tell them from others (I-06)") {
  // What other implementations make of the same message.
  CHECK(push_signature("secret", "1767225600", "[]") ==
        "sha256=27f6fcd3d4b090a4ebb89aa17fc4c20ee469f9a04de9e278bf1a103daadb529a");
  Pushed pushed;
  CdrPushConfig config = config_of();
  config.secret = "secret";
  pushed.open(config);
  pushed.line.append(1);
  CHECK(pushed.line.drain());
  REQUIRE(pushed.server.requests.size() == 1);
  const http::Request& request = pushed.server.requests.front();
  CHECK(*request.header("x-tandem-timestamp") ==
        std::to_string(pushed.line.clock.wall_us() / 1'000'000));
  CHECK(*request.header("x-tandem-signature") ==
        push_signature("secret", *request.header("x-tandem-timestamp"), request.body));
}

TEST_CASE("CdrPush: several sinks go on at their own pace (C-06)") {
  SinkLine line;
  FakeServer good(line.clock);
  FakeServer bad(line.clock);
  bad.is_down = true;
  auto first =
      PushSink::open(config_of("/good"), line.disk, line.clock, std::make_unique<FakeDialer>(good));
  auto second =
      PushSink::open(config_of("/bad"), line.disk, line.clock, std::make_unique<FakeDialer>(bad));
  REQUIRE(first.ok());
  REQUIRE(second.ok());
  cdr::JournalOptions options;
  options.folder = "/j";
  options.segment_bytes = 1U << 16;
  options.threads = false;
  options.disk = line.disk;
  auto journal = cdr::Journal::open(std::move(options), line.clock, nullptr);
  REQUIRE(journal.ok());
  line.journal = std::move(*journal);
  cdr::SinkRunnerOptions named;
  named.name = "good";
  auto good_runner = cdr::SinkRunner::create(named, *line.journal, **first, line.clock, nullptr);
  named.name = "bad";
  auto bad_runner = cdr::SinkRunner::create(named, *line.journal, **second, line.clock, nullptr);
  REQUIRE(good_runner.ok());
  REQUIRE(bad_runner.ok());
  REQUIRE(line.journal->start().ok());
  line.append(50);
  CHECK((*good_runner)->pump());
  CHECK_FALSE((*bad_runner)->pump());
  CHECK(good.stored == line.ids);
  CHECK(bad.stored.empty());
  bad.is_down = false;
  line.clock.advance_us(60'000'000);
  CHECK((*bad_runner)->pump());
  CHECK(bad.stored == line.ids);
  CHECK(good.stored.size() == 50);
  good_runner->reset();
  bad_runner->reset();
}

TEST_CASE("CdrPush: a configuration that cannot work is refused with the reason (C-06)") {
  const auto refusal = [](auto change) {
    CdrPushConfig config = config_of();
    change(config);
    const auto checked = check_cdr_push(config);
    return checked ? std::string("taken") : checked.error().message;
  };
  CHECK(refusal([](CdrPushConfig&) {}) == "taken");
  CHECK(refusal([](CdrPushConfig& c) { c.url = "http://[2001:db8::1]:80"; }) == "taken");
  CHECK(refusal([](CdrPushConfig& c) { c.url = "https://a/b"; }) == "taken");
  CHECK(refusal([](CdrPushConfig& c) { c.tls_ca = "ca.pem"; }).find("tls_ca \"ca.pem\"") !=
        std::string::npos);
  CHECK(refusal([](CdrPushConfig& c) {
          c.url = "https://a/b";
          c.tls_key = "a.key";
        }).find("without tls_certificate") != std::string::npos);
  for (const char* url :
       {"", "ftp://a", "http://", "http://:80/", "http://a:0/", "http://a:99999/", "http://a b/",
        "http://u@a/", "http://a/#x", "http://[::1/", "http://a/\r\nX: y"}) {
    CAPTURE(url);
    CHECK(refusal([&](CdrPushConfig& c) { c.url = url; }) != "taken");
  }
  for (const char* header :
       {"no colon", "Host: x", "content-length: 3", ": x", "A: b\r\nC: d", "A b: c"}) {
    CAPTURE(header);
    CHECK(refusal([&](CdrPushConfig& c) { c.headers = {header}; }) != "taken");
  }
  CHECK(refusal([](CdrPushConfig& c) { c.headers = {"Authorization: Basic eA=="}; }) == "taken");
  CHECK(refusal([](CdrPushConfig& c) {
          c.headers = {"Authorization: Basic eA=="};
          c.token = "t";
        }) != "taken");
  CHECK(refusal([](CdrPushConfig& c) { c.token = "a\nb"; }) != "taken");
  CHECK(refusal([](CdrPushConfig& c) { c.batch_records = 0; }) != "taken");
  CHECK(refusal([](CdrPushConfig& c) { c.timeout_ms = 99; }) != "taken");
}
