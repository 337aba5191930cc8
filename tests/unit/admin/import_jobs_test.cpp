// Puts beside the other requests: one at a time, looked at while they run, and after.
#include "admin/import_jobs.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <future>
#include <stdexcept>
#include <thread>

#include "admin/provision_endpoints.hpp"
#include "switch/provisioning.hpp"
#include "tandem/admin.hpp"

using namespace tandem;
using namespace tandem::admin;

namespace {

http::Response made(int status, std::string body) {
  http::Response response;
  response.status = status;
  response.body = std::move(body);
  return response;
}

ImportJob ended(const ImportJobs& jobs, std::uint64_t id) {
  for (;;) {
    ImportJob job = jobs.find(id).value();
    if (job.status != 0) return job;
    std::this_thread::yield();
  }
}

ImportState state_of(const ImportJob& job) {
  return import_state_of({job.status == 0 ? 202 : 200, "application/json", to_json(job)}).value();
}

struct Jobs {
  SystemClock clock;
  std::atomic<std::uint64_t> done_bytes{0};
  ImportJobs jobs{clock, [this] {
                    return ProvisionProgress{ProvisionStep::reading, done_bytes.load(), 100};
                  }};
};

}  // namespace

TEST_CASE("ImportJobs: a put shows how far it is, and at the end what it was answered") {
  std::promise<void> gate;
  Jobs t;
  const auto id = t.jobs.start("/api/v1/rate_decks/x/rates", [&] {
    gate.get_future().wait();
    return made(201, R"({"created":1})");
  });
  REQUIRE(id.ok());
  t.done_bytes = 40;
  ImportState state = state_of(t.jobs.find(*id).value());
  CHECK_FALSE(state.is_over);
  CHECK(state.target == "/api/v1/imports/" + std::to_string(*id));
  CHECK(state.step == "reading");
  CHECK(state.done_bytes == 40);
  CHECK(state.total_bytes == 100);

  const auto second = t.jobs.start("/api/v1/accounts", [] { return made(200, "{}"); });
  REQUIRE_FALSE(second.ok());
  CHECK(second.error().code == ErrorCode::already_exists);
  CHECK(second.error().message == "import " + std::to_string(*id) + " was not over");
  CHECK(t.jobs.idle().error().message == second.error().message);

  gate.set_value();
  state = state_of(ended(t.jobs, *id));
  CHECK(t.jobs.idle().ok());
  CHECK(state.is_over);
  CHECK(state.step == "idle");
  CHECK(state.answer.status == 201);
  CHECK(state.answer.body == "{\"created\":1}\n");

  const auto next = t.jobs.start("/api/v1/accounts", [] { return made(400, R"({"error":{}})"); });
  REQUIRE(next.ok());
  CHECK(*next > *id);
  CHECK(to_json(ended(t.jobs, *next)).find("\"state\":\"failed\"") != std::string::npos);
  CHECK(t.jobs.list().size() == 2);
  CHECK(t.jobs.list().front().id == *next);
}

TEST_CASE("ImportJobs: what throws ends the job alone, and the last 16 that ended are known") {
  Jobs t;
  const auto thrown = t.jobs.start("/a", []() -> http::Response { throw std::runtime_error("x"); });
  REQUIRE(thrown.ok());
  CHECK(ended(t.jobs, *thrown).status == 500);
  const auto odd = t.jobs.start("/a", []() -> http::Response { throw 1; });
  REQUIRE(odd.ok());
  CHECK(ended(t.jobs, *odd).status == 500);
  for (std::size_t i = 0; i < ImportJobs::ended_kept + 3; ++i) {
    const auto id = t.jobs.start("/a", [] { return made(200, "{}"); });
    REQUIRE(id.ok());
    (void)ended(t.jobs, *id);
  }
  CHECK(t.jobs.list().size() == ImportJobs::ended_kept + 1);
  CHECK(t.jobs.find(*thrown).error().code == ErrorCode::not_found);
}

TEST_CASE("ImportJobs: an answer that is too long to keep says so, with its status") {
  Jobs t;
  const auto id = t.jobs.start(
      "/a", [] { return made(400, std::string(ImportJobs::answer_bytes_max + 1, ' ')); });
  REQUIRE(id.ok());
  const ImportJob job = ended(t.jobs, *id);
  CHECK(job.status == 400);
  CHECK(job.answer.find("answer of 1048577 bytes was too long to keep") != std::string::npos);
}

TEST_CASE("import_state_of: an answer about something else is told from a state") {
  for (const char* body :
       {"", "{}", "[]", "null", "nonsense", R"({"id":1,"status":"x","step":"idle"})",
        R"({"id":1,"status":0})", R"({"id":-1,"status":0,"step":"idle"})"}) {
    CAPTURE(body);
    CHECK(import_state_of({200, "application/json", body}).error().code == ErrorCode::corrupt);
  }
  const char* const running = R"({"id":1,"status":0,"step":"storing"})";
  CHECK(import_state_of({202, "", running})->step == "storing");
  CHECK_FALSE(import_state_of({409, "", running}).ok());
}

TEST_CASE("ImportJobs: a change beside an import is refused at once, and questions are answered") {
  std::promise<void> gate;
  Jobs t;
  Provisioning objects{std::unique_ptr<Provisioning::Body>()};  // nobody comes as far
  ProvisionEndpoints endpoints(objects, &t.jobs);
  const auto id = t.jobs.start("/api/v1/rate_decks/x/rates", [&] {
    gate.get_future().wait();
    return made(201, "{}");
  });
  REQUIRE(id.ok());
  const auto ask = [&](const char* method, std::vector<std::string> path) {
    http::Request request;
    request.method = method;
    request.path = {"api", "v1"};
    request.path.insert(request.path.end(), path.begin(), path.end());
    return endpoints.answer(request);
  };
  const std::string reason = "import " + std::to_string(*id) + " was not over";
  const std::pair<const char*, std::vector<std::string>> changes[] = {
      {"PUT", {"accounts"}},
      {"PUT", {"accounts", "acme"}},
      {"DELETE", {"vendor_gateways", "v1"}},
      {"PUT", {"rate_decks", "x", "rates"}},
      {"POST", {"rate_decks", "x", "rollback"}},
      {"POST", {"rate_decks", "x", "schedule"}}};
  for (const auto& [method, path] : changes) {
    CAPTURE(std::string(method) + " " + path.back());
    const auto answer = ask(method, path);
    REQUIRE(answer.has_value());
    CHECK(answer->status == 409);
    CHECK(answer->body.find(reason) != std::string::npos);
  }
  const auto list = ask("GET", {"imports"});
  REQUIRE(list.has_value());
  CHECK(list->status == 200);
  CHECK(list->body.find(std::to_string(*id)) != std::string::npos);
  gate.set_value();
  (void)ended(t.jobs, *id);
  CHECK(ask("GET", {"imports", std::to_string(*id)})->status == 200);
}
