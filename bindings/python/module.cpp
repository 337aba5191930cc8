// The module: errors, values, and the parts.
#include <set>

#include "binding.hpp"
#include "tandem/clock.hpp"
#include "tandem/version.h"

using namespace tandem;

namespace binding {
namespace {

std::set<Live*>& live() {
  static std::set<Live*> objects;
  return objects;
}

}  // namespace

Live::Live() { live().insert(this); }
Live::~Live() { live().erase(this); }
void Live::close_all() {
  for (Live* object : std::set<Live*>(live()))
    if (live().count(object) != 0) object->close_at_exit();
}

}  // namespace binding

PYBIND11_MODULE(_tandem, m) {
  m.doc() = "The C++ side of the package tandem.";
  m.attr("__version__") = TANDEM_VERSION_STRING;

  py::enum_<ErrorCode>(m, "ErrorCode")
      .value("invalid_argument", ErrorCode::invalid_argument)
      .value("not_found", ErrorCode::not_found)
      .value("already_exists", ErrorCode::already_exists)
      .value("io", ErrorCode::io)
      .value("limit", ErrorCode::limit)
      .value("wrong_thread", ErrorCode::wrong_thread)
      .value("wrong_state", ErrorCode::wrong_state)
      .value("unsupported", ErrorCode::unsupported)
      .value("too_small", ErrorCode::too_small)
      .value("timeout", ErrorCode::timeout)
      .value("corrupt", ErrorCode::corrupt)
      .value("internal", ErrorCode::internal);

  // The class itself is Python's: it has nothing to do but to carry the two.
  py::object error_class = py::module_::import("tandem.errors").attr("Error");
  m.attr("Error") = error_class;
  static PyObject* const error_type = error_class.release().ptr();  // lives as long as the process
  py::register_exception_translator([](std::exception_ptr thrown) {
    try {
      if (thrown) std::rethrow_exception(thrown);
    } catch (const binding::Failure& failure) {
      const py::object error =
          py::reinterpret_borrow<py::object>(error_type)(failure.error.code, failure.error.message);
      PyErr_SetObject(error_type, error.ptr());
    }
  });

  m.def(
      "parse_time_us", [](const std::string& text) { return binding::take(parse_time_us(text)); },
      py::arg("text"));
  m.def("format_time_us", &format_time_us, py::arg("at_us"));
  m.def(
      "reason_facts",
      [](const std::string& name) {
        const auto reason = reason_from_name(name);
        if (!reason)
          throw binding::Failure{{ErrorCode::not_found, "reason \"" + name + "\" does not exist"}};
        const ReasonFacts& facts = reason_facts(*reason);
        return py::make_tuple(static_cast<int>(*reason), facts.sip_status, facts.q850_cause);
      },
      py::arg("name"));

  py::module_::import("atexit").attr("register")(py::cpp_function(&binding::Live::close_all));

  binding::bind_routing(m);
  binding::bind_rating(m);
  binding::bind_packages(m);
  binding::bind_cdr(m);
  binding::bind_cdr_queries(m);
  binding::bind_cdr_columns(m);
  binding::bind_media(m);
  binding::bind_switch(m);
  binding::bind_sim(m);
}
