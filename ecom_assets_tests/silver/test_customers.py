from ecom_assets.silver.customers import Customers, transform
from ecom_assets_tests.samples import broken_rules, rows, run, sample


def test_an_email_is_read_in_any_case_and_without_blanks():
    customers = sample(Customers, {"email": " Ada@Example.ORG "})

    assert rows(run(transform, customers), "email") == ["ada@example.org"]


def test_an_email_without_domain_is_pointed_out():
    assert broken_rules(Customers, {"email": "ada@example"}) == ["An e-mail address has a name, an @ and a domain."]
    assert broken_rules(Customers, {"email": "ada@example.org"}) == []
