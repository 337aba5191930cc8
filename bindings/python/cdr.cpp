// Records, and the journal alone.
#include "tandem/cdr.hpp"

#include "binding.hpp"
#include "tandem/cdr_push.hpp"
#include "tandem/cdr_slots.hpp"
#include "tandem/cdr_sql.hpp"
#include "tandem/clock.hpp"
#include "tandem/journal_check.hpp"

using namespace tandem;
using namespace pybind11::literals;

namespace binding {
namespace {

class PythonSink final : public CdrSink {
 public:
  explicit PythonSink(py::object sink) : sink_(std::move(sink)) {}
  ~PythonSink() override {
    const py::gil_scoped_acquire lock;
    sink_ = py::object();
  }
  [[nodiscard]] Result<void> write(const Cdr& cdr) override {
    return call([&] { sink_.attr("write")(cdr); });
  }
  [[nodiscard]] Result<void> flush() override {
    return call([&] { sink_.attr("flush")(); });
  }

 private:
  /// What Python raises is a refusal: the record is offered again. A tandem.Error says by its code
  /// whether it is about the record.
  template <class Body>
  static Result<void> call(Body&& body) {
    const py::gil_scoped_acquire lock;
    try {
      body();
      return {};
    } catch (py::error_already_set& raised) {
      std::string text = raised.what();
      ErrorCode code = ErrorCode::io;
      if (raised.matches(py::module_::import("tandem.errors").attr("Error")))
        code = raised.value().attr("code").cast<ErrorCode>();
      return Error{code, "the sink raised " + text.substr(0, text.find('\n'))};
    }
  }
  py::object sink_;
};

/// A sink of the library on its way to a journal, or used alone.
class RemoteSink {
 public:
  explicit RemoteSink(std::unique_ptr<CdrSink> sink) : sink_(std::move(sink)) {}
  ~RemoteSink() {
    const py::gil_scoped_release unlock;  // ends a connection
    sink_.reset();
  }
  RemoteSink(const RemoteSink&) = delete;
  RemoteSink& operator=(const RemoteSink&) = delete;

  std::unique_ptr<CdrSink> give() {
    open();
    return std::move(sink_);
  }
  CdrSink& open() const {
    if (sink_ == nullptr)
      throw Failure{{ErrorCode::wrong_state, "the sink was given to a journal"}};
    return *sink_;
  }

 private:
  std::unique_ptr<CdrSink> sink_;
};

template <class Make, class Config>
std::unique_ptr<RemoteSink> make_remote_sink(Make make, Config config) {
  return std::make_unique<RemoteSink>(take(unlocked([&] { return make(std::move(config)); })));
}

CdrSqlConfig sql_config(std::string folder, std::string connection, std::string table,
                        std::string source, std::int32_t retention_days, std::int32_t ahead_days,
                        std::int32_t batch_records, std::int32_t timeout_ms) {
  return {.folder = std::move(folder),
          .connection = std::move(connection),
          .table = std::move(table),
          .source = std::move(source),
          .retention_days = retention_days,
          .ahead_days = ahead_days,
          .batch_records = batch_records,
          .timeout_ms = timeout_ms};
}

class Journal final : public Live {
 public:
  Journal(CdrJournalConfig config, const py::dict& sinks, std::uint32_t set_aside_after) {
    body_ = take(unlocked([&] { return CdrJournal::open(std::move(config), clock_); }));
    for (const auto& [name, sink] : sinks)
      add_sink(name.cast<std::string>(), py::reinterpret_borrow<py::object>(sink), set_aside_after);
    take(unlocked([&] { return body_->start(); }));
  }
  ~Journal() override { close(5'000); }

  void add_sink(std::string name, const py::object& sink, std::uint32_t set_aside_after) {
    // One of the library is handed over whole, so that it keeps its own place.
    auto body =
        py::isinstance<RemoteSink>(sink) ? sink.cast<RemoteSink&>().give() : make_python_sink(sink);
    // Some ask a server where they are.
    take(unlocked(
        [&] { return body_->add_sink(std::move(name), std::move(body), set_aside_after); }));
  }

  CdrJournal& open() {
    if (!body_) throw Failure{{ErrorCode::wrong_state, "the journal was closed"}};
    return *body_;
  }
  void close(std::int64_t drain_ms) {
    if (!body_) return;
    const py::gil_scoped_release off;
    body_->close(drain_ms);
    body_.reset();
  }
  void close_at_exit() override { close(5'000); }

 private:
  SystemClock clock_;
  std::unique_ptr<CdrJournal> body_;
};

template <class Class, class Member>
void reason_property(Class& c, const char* name, Member member) {
  c.def_property(
      name,
      [member](const typename Class::type& object) {
        return object.*member == Reason::none ? "" : reason_facts(object.*member).name;
      },
      [member](typename Class::type& object, const std::string& text) {
        const auto reason = text.empty() ? std::optional(Reason::none) : reason_from_name(text);
        if (!reason)
          throw Failure{{ErrorCode::invalid_argument, "reason \"" + text + "\" does not exist"}};
        object.*member = *reason;
      });
}

}  // namespace

py::list sink_states(const std::vector<CdrSinkState>& sinks) {
  py::list all;
  for (const CdrSinkState& s : sinks)
    all.append(py::dict("name"_a = s.name, "position"_a = s.position,
                        "lag_records"_a = s.lag_records, "lag_us"_a = s.lag_us,
                        "failures"_a = s.failures, "is_failing"_a = s.is_failing,
                        "last_error"_a = s.last_error, "set_aside"_a = s.set_aside));
  return all;
}

std::unique_ptr<CdrSink> make_python_sink(py::object sink) {
  return std::make_unique<PythonSink>(std::move(sink));
}

void bind_cdr(py::module_& m) {
  py::class_<Attempt> attempt(m, "Attempt");
  attempt.def(py::init<>())
      .def_readwrite("vendor_gateway", &Attempt::vendor_gateway)
      .def_readwrite("sip_status", &Attempt::sip_status)
      .def_readwrite("q850_cause", &Attempt::q850_cause)
      .def_readwrite("started_at_us", &Attempt::started_at_us)
      .def_readwrite("ended_at_us", &Attempt::ended_at_us)
      .def_readwrite("caller_out", &Attempt::caller_out)
      .def_readwrite("callee_out", &Attempt::callee_out);
  reason_property(attempt, "reason", &Attempt::reason);

  py::class_<ChargeFacts>(m, "ChargeFacts")
      .def(py::init<>())
      .def_readwrite("account", &ChargeFacts::account)
      .def_property(
          "charge", [](const ChargeFacts& f) { return f.charge; },
          [](ChargeFacts& f, Amount amount) { f.charge = amount; })
      .def_readwrite("billed_time_s", &ChargeFacts::billed_time_s)
      .def_readwrite("rate_prefix", &ChargeFacts::rate_prefix)
      .def_readwrite("currency", &ChargeFacts::currency)
      .def_readwrite("rate_deck", &ChargeFacts::rate_deck)
      .def_readwrite("rate_terms", &ChargeFacts::rate_terms)
      .def_readwrite("package_charge", &ChargeFacts::package_charge)
      .def_readwrite("package_time_s", &ChargeFacts::package_time_s);

  py::class_<Cdr> cdr(m, "Cdr");
  cdr.def(py::init<>())
      .def_readwrite("record_id", &Cdr::record_id)
      .def_readwrite("call_id", &Cdr::call_id)
      .def_readwrite("customer_gateway", &Cdr::customer_gateway)
      .def_readwrite("vendor_gateway", &Cdr::vendor_gateway)
      .def_readwrite("caller_ip", &Cdr::caller_ip)
      .def_readwrite("callee_ip", &Cdr::callee_ip)
      .def_readwrite("caller_product", &Cdr::caller_product)
      .def_readwrite("callee_product", &Cdr::callee_product)
      .def_readwrite("caller_in", &Cdr::caller_in)
      .def_readwrite("caller", &Cdr::caller)
      .def_readwrite("caller_out", &Cdr::caller_out)
      .def_readwrite("callee_in", &Cdr::callee_in)
      .def_readwrite("callee", &Cdr::callee)
      .def_readwrite("callee_out", &Cdr::callee_out)
      .def_readwrite("started_at_us", &Cdr::started_at_us)
      .def_readwrite("answered_at_us", &Cdr::answered_at_us)
      .def_readwrite("ended_at_us", &Cdr::ended_at_us)
      .def_readwrite("pdd_ms", &Cdr::pdd_ms)
      .def_readwrite("talk_time_ms", &Cdr::talk_time_ms)
      .def_readwrite("customer", &Cdr::customer)
      .def_readwrite("vendor", &Cdr::vendor)
      .def_readwrite("agent", &Cdr::agent)
      .def_readwrite("end_code", &Cdr::end_code)
      .def_readwrite("sip_status", &Cdr::sip_status)
      .def_readwrite("q850_cause", &Cdr::q850_cause)
      .def_property_readonly("release_side",
                             [](const Cdr& c) { return release_side_name(c.release_side); })
      .def_readwrite("attempts", &Cdr::attempts)
      .def_readwrite("media_relayed", &Cdr::media_relayed)
      .def_readwrite("media_caller", &Cdr::media_caller)
      .def_readwrite("media_callee", &Cdr::media_callee)
      .def_readwrite("lrn", &Cdr::lrn)
      .def_readwrite("callee_region", &Cdr::callee_region)
      .def_readwrite("caller_region", &Cdr::caller_region)
      .def_readwrite("choices", &Cdr::choices)
      .def_property(
          "codec", [](const Cdr& c) { return c.codecs.negotiated; },
          [](Cdr& c, std::string codec) { c.codecs.negotiated = std::move(codec); })
      .def_property(
          "caller_codecs", [](const Cdr& c) { return c.codecs.caller; },
          [](Cdr& c, std::string codecs) { c.codecs.caller = std::move(codecs); })
      .def_property(
          "callee_codecs", [](const Cdr& c) { return c.codecs.callee; },
          [](Cdr& c, std::string codecs) { c.codecs.callee = std::move(codecs); })
      .def_readwrite("recording", &Cdr::recording)
      .def_property(
          "call_level", [](const Cdr& c) { return call_level_name(c.call_level); },
          [](Cdr& c, const std::string& name) { c.call_level = take(call_level_from_name(name)); })
      .def_property_readonly("charge", [](const Cdr& c) { return c.customer.charge; })
      .def("to_json", [](const Cdr& c) { return to_json(c); })
      .def("to_csv", &to_csv_row)
      .def(
          "__eq__", [](const Cdr& a, const Cdr& b) { return a == b; }, py::is_operator())
      .def("__repr__", [](const Cdr& c) {
        return "<Cdr " + std::to_string(c.record_id) + ' ' + c.callee_in + ' ' +
               reason_facts(c.end_reason).name + '>';
      });
  reason_property(cdr, "end_reason", &Cdr::end_reason);
  m.def("csv_header", &csv_header);

  m.def(
      "check_journal_json",
      [](const std::string& folder) {
        return to_json(take(unlocked([&] { return check_journal(folder); })));
      },
      "folder"_a);

  py::class_<RemoteSink>(m, "RemoteCdrSink")
      .def(
          "write", [](RemoteSink& sink, const Cdr& cdr) { take(sink.open().write(cdr)); }, "cdr"_a)
      .def("flush", [](RemoteSink& sink) {
        CdrSink& open = sink.open();
        take(unlocked([&] { return open.flush(); }));
      });
  m.def(
      "cdr_slots_sink",
      [](std::string folder, std::string zone) {
        return std::make_unique<RemoteSink>(take(
            unlocked([&] { return make_cdr_slots_sink(std::move(folder), std::move(zone)); })));
      },
      "folder"_a, py::kw_only(), "timezone"_a = "");
  m.def(
      "rebuild_cdr_slots",
      [](std::string days, std::string folder, const std::string& zone) {
        CdrPlace place(std::move(days));
        place.slots = std::move(folder);
        return take(unlocked([&] { return rebuild_cdr_slots(place, zone); }));
      },
      "days"_a, "folder"_a, py::kw_only(), "timezone"_a = "");
  m.def(
      "cdr_push_sink",
      [](std::string folder, std::string url, std::string token, std::string secret,
         std::vector<std::string> headers, std::int32_t batch_records, std::int32_t timeout_ms,
         std::string tls_ca, std::string tls_certificate, std::string tls_key) {
        return make_remote_sink(make_cdr_push_sink,
                                CdrPushConfig{.folder = std::move(folder),
                                              .url = std::move(url),
                                              .token = std::move(token),
                                              .secret = std::move(secret),
                                              .headers = std::move(headers),
                                              .batch_records = batch_records,
                                              .timeout_ms = timeout_ms,
                                              .tls_ca = std::move(tls_ca),
                                              .tls_certificate = std::move(tls_certificate),
                                              .tls_key = std::move(tls_key)});
      },
      "folder"_a, "url"_a, py::kw_only(), "token"_a = "", "secret"_a = "",
      "headers"_a = std::vector<std::string>(), "batch_records"_a = 500, "timeout_ms"_a = 10'000,
      "tls_ca"_a = "", "tls_certificate"_a = "", "tls_key"_a = "");
  for (const auto& [name, make] : {std::pair("cdr_postgresql_sink", &make_cdr_postgresql_sink),
                                   std::pair("cdr_mariadb_sink", &make_cdr_mariadb_sink)}) {
    m.def(
        name,
        [make = make](std::string folder, std::string connection, std::string table,
                      std::string source, std::int32_t retention_days, std::int32_t ahead_days,
                      std::int32_t batch_records, std::int32_t timeout_ms, std::string database,
                      std::string journal) {
          CdrSqlConfig config =
              sql_config(std::move(folder), std::move(connection), std::move(table),
                         std::move(source), retention_days, ahead_days, batch_records, timeout_ms);
          config.database = std::move(database);
          config.journal = std::move(journal);
          return make_remote_sink(make, std::move(config));
        },
        "folder"_a, "connection"_a, py::kw_only(), "table"_a = "cdr", "source"_a = "tandem",
        "retention_days"_a = 0, "ahead_days"_a = 3, "batch_records"_a = 10'000,
        "timeout_ms"_a = 30'000, "database"_a = "", "journal"_a = "");
  }

  py::class_<CdrJournalCounters>(m, "CdrJournalCounters")
      .def_readonly("appended", &CdrJournalCounters::appended)
      .def_readonly("refused", &CdrJournalCounters::refused)
      .def_readonly("durable", &CdrJournalCounters::durable)
      .def_readonly("commits", &CdrJournalCounters::commits)
      .def_readonly("disk_failures", &CdrJournalCounters::disk_failures)
      .def_readonly("waiting", &CdrJournalCounters::waiting);

  py::class_<Journal>(m, "CdrJournal")
      .def(py::init([](std::string folder, const py::dict& sinks, std::uint64_t segment_bytes,
                       std::uint32_t queue_records, std::uint32_t set_aside_after) {
             CdrJournalConfig config;
             config.folder = std::move(folder);
             config.segment_bytes = segment_bytes;
             config.queue_records = queue_records;
             return std::make_unique<Journal>(std::move(config), sinks, set_aside_after);
           }),
           "folder"_a, "sinks"_a = py::dict(), py::kw_only(), "segment_bytes"_a = 64ULL << 20,
           "queue_records"_a = 65'536, "set_aside_after"_a = 0)
      .def(
          "append", [](Journal& j, const Cdr& record) { return take(j.open().append(record)); },
          "cdr"_a)
      .def(
          "wait_durable",
          [](Journal& j, std::uint64_t id, std::int64_t timeout_ms) {
            CdrJournal& journal = j.open();
            take(unlocked([&] { return journal.wait_durable(id, timeout_ms); }));
          },
          "record_id"_a, "timeout_ms"_a = 5'000)
      .def_property_readonly("is_writable", [](Journal& j) { return j.open().is_writable(); })
      .def_property_readonly("durable_id", [](Journal& j) { return j.open().durable_id(); })
      .def("counters", [](Journal& j) { return j.open().counters(); })
      .def("sinks", [](Journal& j) { return sink_states(j.open().sinks()); })
      .def("close", &Journal::close, "drain_ms"_a = 5'000)
      .def("__enter__", [](py::object self) { return self; })
      .def("__exit__", [](Journal& j, const py::args&) { j.close(5'000); });
}

}  // namespace binding
