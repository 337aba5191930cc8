// Questions to stored records: filters, iterators and reports.
#include "cdr_queries.hpp"

#include <mutex>

#include "switch_object.hpp"
#include "tandem/switch.hpp"

using namespace tandem;
using namespace pybind11::literals;

namespace binding {
namespace {

/// A cursor as a Python iterator. Threads of Python may share it: it lets go of the interpreter
/// lock while it reads.
class CdrIterator {
 public:
  explicit CdrIterator(CdrCursor cursor) : cursor_(std::move(cursor)) {}
  Cdr next() {
    auto record = take(unlocked([this] {
      const std::lock_guard lock(mutex_);
      return cursor_.next();
    }));
    if (!record) throw py::stop_iteration();
    return std::move(*record);
  }

 private:
  std::mutex mutex_;  // guards cursor_
  CdrCursor cursor_;
};

py::object object_of(const ReportCell& cell) {
  if (const auto* text = std::get_if<std::string>(&cell)) return text_of(*text);
  if (const auto* number = std::get_if<std::int64_t>(&cell)) return py::int_(*number);
  if (const auto* amount = std::get_if<Amount>(&cell)) return py::cast(*amount);
  if (const auto* decimal = std::get_if<Hundredths>(&cell)) {
    const py::object type = py::module_::import("decimal").attr("Decimal");
    return type(decimal->value).attr("scaleb")(-2);
  }
  return py::none();
}

py::list rows_of(const CallReport& report) {
  py::list rows;
  for (const auto& cells : report.rows) {
    py::dict row;
    for (std::size_t i = 0; i < cells.size(); ++i)
      row[py::str(report.columns[i])] = object_of(cells[i]);
    rows.append(std::move(row));
  }
  return rows;
}

}  // namespace

CdrGuards guards_of(std::int64_t days_max, std::uint64_t rows_max, std::int64_t time_max_ms) {
  if (days_max < 0 || time_max_ms < 0)
    throw Failure{{ErrorCode::invalid_argument, "a guard was negative"}};
  return {days_max, rows_max, time_max_ms};
}

py::str text_of(const std::string& text) {
  PyObject* const decoded =
      PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "replace");
  if (decoded == nullptr) throw py::error_already_set();
  return py::reinterpret_steal<py::str>(decoded);
}

py::object cdr_iterator(Result<CdrCursor> cursor) {
  return py::cast(std::make_unique<CdrIterator>(take(std::move(cursor))));
}

CallReportRequest report_request(const std::string& name, const CdrQuery& query,
                                 std::optional<std::size_t> limit,
                                 const std::map<std::string, std::string>& options) {
  const auto kind = call_report_from_name(name);
  if (!kind) throw Failure{{ErrorCode::invalid_argument, "no report \"" + name + "\" is known"}};
  CallReportRequest request;
  request.kind = *kind;
  request.filter = query;
  if (limit) request.limit = *limit;
  for (const auto& [option, value] : options) {
    if (!take(set_report_option(request, option, value)))
      throw Failure{{ErrorCode::invalid_argument, "no option \"" + option + "\" is known"}};
  }
  return request;
}

MaintenanceAct maintenance_act(const std::string& name) {
  const auto act = maintenance_act_from_name(name);
  if (!act) throw Failure{{ErrorCode::invalid_argument, "no maintenance \"" + name + "\""}};
  return *act;
}

std::string json_list(const std::vector<StoredDay>& days) {
  std::string text = "[";
  for (const StoredDay& day : days)
    text += (text.size() > 1 ? "," : "") + to_json(day);
  return text + "]";
}

void bind_cdr_queries(py::module_& m) {
  py::class_<CdrQuery> query(m, "CdrQuery");
  query
      .def(py::init([](const py::kwargs& members) {
        auto made = std::make_unique<CdrQuery>();
        const py::object self = py::cast(made.get(), py::return_value_policy::reference);
        for (const auto& [name, value] : members) {
          if (!py::hasattr(self, name))
            throw py::type_error("CdrQuery has no member " + name.cast<std::string>());
          py::setattr(self, name, value);
        }
        return made;
      }))
      .def_readwrite("since_us", &CdrQuery::since_us)
      .def_readwrite("until_us", &CdrQuery::until_us)
      .def_readwrite("caller", &CdrQuery::caller)
      .def_readwrite("callee", &CdrQuery::callee)
      .def_readwrite("caller_in", &CdrQuery::caller_in)
      .def_readwrite("caller_billing", &CdrQuery::caller_billing)
      .def_readwrite("caller_out", &CdrQuery::caller_out)
      .def_readwrite("callee_in", &CdrQuery::callee_in)
      .def_readwrite("callee_billing", &CdrQuery::callee_billing)
      .def_readwrite("callee_out", &CdrQuery::callee_out)
      .def_readwrite("account", &CdrQuery::account)
      .def_readwrite("vendor_account", &CdrQuery::vendor_account)
      .def_readwrite("agent_account", &CdrQuery::agent_account)
      .def_readwrite("customer_gateway", &CdrQuery::customer_gateway)
      .def_readwrite("vendor_gateway", &CdrQuery::vendor_gateway)
      .def_readwrite("call_id", &CdrQuery::call_id)
      .def_readwrite("rate_prefix", &CdrQuery::rate_prefix)
      .def_readwrite("reason", &CdrQuery::reason)
      .def_readwrite("sip_status", &CdrQuery::sip_status)
      .def_property(
          "release_side",
          [](const CdrQuery& q) {
            return q.release_side ? std::optional<std::string>(release_side_name(*q.release_side))
                                  : std::nullopt;
          },
          [](CdrQuery& q, const std::optional<std::string>& side) {
            q.release_side.reset();
            if (side) take(set_filter(q, "release_side", *side));
          })
      .def_readwrite("is_answered", &CdrQuery::is_answered)
      .def_readwrite("is_free", &CdrQuery::is_free)
      .def_readwrite("talk_min_ms", &CdrQuery::talk_min_ms)
      .def_readwrite("talk_max_ms", &CdrQuery::talk_max_ms)
      .def_readwrite("skips_archived", &CdrQuery::skips_archived)
      .def_readwrite("before_record_id", &CdrQuery::before_record_id)
      .def_readwrite("limit", &CdrQuery::limit);
  m.def(
      "query_cdr_folder",
      [](const std::string& folder, const CdrQuery& q) {
        return take(unlocked([&] { return CdrStore(folder).query(q); }));
      },
      "folder"_a, "query"_a);
  m.def(
      "query_cdrs",
      [](const ConfigReading& reading, const CdrQuery& q) {
        const SwitchConfig config = usable(reading);
        return take(unlocked([&] { return query_cdrs(config, q); }));
      },
      "config"_a, "query"_a);

  m.def(
      "stored_days_json",
      [](const ConfigReading& reading) {
        const SwitchConfig config = usable(reading);
        return json_list(take(unlocked([&] { return stored_days(config); })));
      },
      "config"_a);
  m.def(
      "maintain_json",
      [](const ConfigReading& reading, const std::string& act, const std::string& day) {
        const SwitchConfig config = usable(reading);
        const MaintenanceAct wanted = maintenance_act(act);
        return to_json(take(unlocked([&] { return maintain(config, wanted, day); })));
      },
      "config"_a, "act"_a, "day"_a);

  py::class_<MaintenanceNoteQuery>(m, "MaintenanceNoteQuery")
      .def(py::init([](std::string act, std::string day, std::optional<std::int64_t> since_us,
                       std::optional<std::int64_t> until_us, std::size_t limit) {
             return MaintenanceNoteQuery{std::move(act), std::move(day), since_us, until_us, limit};
           }),
           py::kw_only(), "act"_a = "", "day"_a = "", "since_us"_a = py::none(),
           "until_us"_a = py::none(), "limit"_a = 100);
  m.def(
      "maintenance_notes_json",
      [](const ConfigReading& reading, const MaintenanceNoteQuery& q) {
        const SwitchConfig config = usable(reading);
        return json_texts(take(unlocked([&] { return maintenance_notes(config, q); })));
      },
      "config"_a, "query"_a);

  py::class_<DisputeQuery>(m, "DisputeQuery")
      .def(py::init([](std::uint64_t record_id, std::string day, std::optional<bool> is_open,
                       std::optional<std::uint64_t> before_id, std::size_t limit) {
             return DisputeQuery{record_id, std::move(day), is_open, before_id, limit};
           }),
           py::kw_only(), "record_id"_a = 0, "day"_a = "", "is_open"_a = py::none(),
           "before_id"_a = py::none(), "limit"_a = 100);
  m.def(
      "dispute_record_json",
      [](const ConfigReading& reading, const std::string& json) {
        const SwitchConfig config = usable(reading);
        const auto request = take(parse_dispute(json));
        return to_json(take(unlocked([&] { return dispute_record(config, request); })));
      },
      "config"_a, "json"_a);
  m.def(
      "resolve_dispute_json",
      [](const ConfigReading& reading, const std::string& json) {
        const SwitchConfig config = usable(reading);
        const auto request = take(parse_dispute(json));
        return to_json(take(unlocked([&] { return resolve_dispute(config, request); })));
      },
      "config"_a, "json"_a);
  m.def(
      "query_disputes_json",
      [](const ConfigReading& reading, const DisputeQuery& q) {
        const SwitchConfig config = usable(reading);
        return json_texts(take(unlocked([&] { return query_disputes(config, q); })));
      },
      "config"_a, "query"_a);

  py::class_<CdrIterator>(m, "CdrIterator")
      .def("__iter__", [](py::object self) { return self; })
      .def("__next__", &CdrIterator::next);
  m.def(
      "cdr_folder_iterator",
      [](const std::string& folder, const CdrQuery& q, std::int64_t days_max,
         std::uint64_t rows_max, std::int64_t time_max_ms) {
        const CdrStore store(folder, guards_of(days_max, rows_max, time_max_ms));
        return cdr_iterator(unlocked([&] { return store.cursor(q, q.before_record_id); }));
      },
      "folder"_a, "query"_a, "days_max"_a = 0, "rows_max"_a = CdrGuards().rows_max,
      "time_max_ms"_a = CdrGuards().time_max_ms);
  m.def(
      "cdr_iterator",
      [](const ConfigReading& reading, const CdrQuery& q) {
        const SwitchConfig config = usable(reading);
        return cdr_iterator(unlocked([&] { return cdr_cursor(config, q, q.before_record_id); }));
      },
      "config"_a, "query"_a);

  py::class_<CallReport>(m, "CallReport")
      .def_property_readonly("name", [](const CallReport& r) { return call_report_name(r.kind); })
      .def_readonly("columns", &CallReport::columns)
      .def_property_readonly("rows", &rows_of)
      .def_readonly("records_read", &CallReport::records_read)
      .def("to_json", [](const CallReport& r) { return to_json(r); })
      .def("to_csv", [](const CallReport& r) { return text_of(to_csv(r)); })
      .def("to_table", [](const CallReport& r) { return text_of(to_table(r)); });
  m.def(
      "cdr_folder_report",
      [](const std::string& folder, const std::string& name, const CdrQuery& q,
         std::optional<std::size_t> limit, const std::map<std::string, std::string>& options,
         std::int64_t days_max, std::uint64_t rows_max, std::int64_t time_max_ms) {
        const CallReportRequest request = report_request(name, q, limit, options);
        const CdrGuards guards = guards_of(days_max, rows_max, time_max_ms);
        return take(unlocked([&] { return call_report(folder, request, guards); }));
      },
      "folder"_a, "name"_a, "query"_a, "limit"_a, "options"_a, "days_max"_a = 0,
      "rows_max"_a = CdrGuards().rows_max, "time_max_ms"_a = CdrGuards().time_max_ms);
  m.def(
      "call_report",
      [](const ConfigReading& reading, const std::string& name, const CdrQuery& q,
         std::optional<std::size_t> limit, const std::map<std::string, std::string>& options) {
        const SwitchConfig config = usable(reading);
        const CallReportRequest request = report_request(name, q, limit, options);
        return take(unlocked([&] { return call_report(config, request); }));
      },
      "config"_a, "name"_a, "query"_a, "limit"_a, "options"_a);
}

}  // namespace binding
