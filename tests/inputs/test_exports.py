"""Exports of shops, payment services, spreadsheets, banks, gyms and charities are read as they are.

Each has the columns, days and numbers of its kind, and beside it what it means: customer; day; amount.
"""

import io
import runpy
from dataclasses import dataclass, field, replace
from pathlib import Path
from textwrap import dedent

import duckdb
import pandas as pd
import polars as pl
import pytest

import retention_models as rm

FORMS = runpy.run_path(str(Path(__file__).with_name("forms.py")))
rows_of, to_workbook = FORMS["rows_of"], FORMS["to_workbook"]


@dataclass(frozen=True)
class Export:
    """The text of a file, the columns to read, what its rows mean, and the forms that are stated."""

    columns: str  # customer; date; amount
    text: str
    means: str
    formats: dict = field(default_factory=dict)  # what the words begin with
    options: dict = field(default_factory=dict)
    encoding: str = "utf-8"
    set_aside: int = 0

    @property
    def keywords(self):
        names = dict(zip(("customer_id", "date", "amount"), self.columns.split("; "), strict=True))
        return names | self.options

    @property
    def rows(self):
        lines = [line.strip().split("; ") for line in self.means.strip().splitlines()]
        frame = pd.DataFrame(lines, columns=["customer_id", "date", "amount"])
        frame = frame.assign(date=pd.to_datetime(frame["date"], format="ISO8601"), amount=frame["amount"].astype(float))
        return frame.sort_values(list(frame), ignore_index=True)

    def write(self, path):
        path.write_text(dedent(self.text).lstrip("\n"), encoding=self.encoding)
        return path

    @property
    def frame(self):
        """The file with every value as text, as pandas.read_csv(..., dtype=str) gives it."""
        text = dedent(self.text).lstrip("\n")
        sep = max(",;\t|", key=text.splitlines()[0].count)
        return pd.read_csv(io.StringIO(text), sep=sep, dtype=str, keep_default_na=False)


CURLY, NARROW, NO_BREAK = "\u2019", "\u202f", "\u00a0"  # an apostrophe, and two blanks
COMMA, POINT = "decimal comma", ""  # what is said of a decimal point with other marks is free

SHOPS = {
    "Shopify": Export(
        "Email; Created at; Total",
        """
        Name,Email,Financial Status,Created at,Currency,Total
        #1001,ann@example.com,paid,2024-03-14 10:15:00 -0400,USD,1234.00
        #1002,bob@example.com,paid,2024-03-15 18:02:41 -0400,USD,59.90
        #1003,ann@example.com,paid,2024-04-02 09:30:12 -0400,USD,18.50
        """,
        """
        ann@example.com; 2024-03-14 10:15:00; 1234
        bob@example.com; 2024-03-15 18:02:41; 59.9
        ann@example.com; 2024-04-02 09:30:12; 18.5
        """,
    ),
    "WooCommerce": Export(
        "Customer User ID; Order Date; Order Total Amount",
        """
        Order Number,Order Status,Order Date,Customer User ID,Order Total Amount
        701,Completed,2024-03-14 10:15,31,"1,234.00"
        702,Completed,2024-03-15 18:02,32,59.90
        703,Completed,2024-04-02 09:30,31,18.50
        """,
        """
        31; 2024-03-14 10:15; 1234
        32; 2024-03-15 18:02; 59.9
        31; 2024-04-02 09:30; 18.5
        """,
        {"Order Total Amount": POINT},
    ),
    "WooCommerce, German": Export(
        "Kunde; Bestelldatum; Summe",
        """
        Bestellnummer;Bestelldatum;Kunde;Summe
        701;14.03.2024 10:15;31;1.234,00 €
        702;15.03.2024 18:02;32;59,90 €
        703;02.04.2024 09:30;31;18,50 €
        """,
        """
        31; 2024-03-14 10:15; 1234
        32; 2024-03-15 18:02; 59.9
        31; 2024-04-02 09:30; 18.5
        """,
        {"Bestelldatum": "%d.%m.%Y", "Summe": COMMA},
    ),
    "Stripe payments": Export(
        "Customer ID; Created date (UTC); Amount",
        """
        id,Created date (UTC),Amount,Currency,Status,Customer ID
        ch_1,2024-03-14 10:15,"1,234.00",eur,Paid,cus_A
        ch_2,2024-03-15 18:02,59.90,eur,Paid,cus_B
        ch_3,2024-04-02 09:30,18.50,eur,Paid,cus_A
        """,
        """
        cus_A; 2024-03-14 10:15; 1234
        cus_B; 2024-03-15 18:02; 59.9
        cus_A; 2024-04-02 09:30; 18.5
        """,
        {"Amount": POINT},
    ),
    "Stripe, by its interface": Export(
        "customer; created; amount",
        """
        id,created,amount,currency,customer
        ch_1,1710411300,123400,usd,cus_A
        ch_2,1710525761,5990,usd,cus_B
        ch_3,1712050212,1850,usd,cus_A
        """,
        """
        cus_A; 2024-03-14 10:15:00; 123400
        cus_B; 2024-03-15 18:02:41; 5990
        cus_A; 2024-04-02 09:30:12; 1850
        """,
        {"created": "unix_s"},
    ),
    "Amazon, United States": Export(
        "buyer-email; purchase-date; item-price",
        """
        order-id\tbuyer-email\tpurchase-date\tcurrency\titem-price
        111-1\tann@example.com\t2024-03-14T10:15:00+00:00\tUSD\t1234.00
        111-2\tbob@example.com\t2024-03-15T18:02:41+00:00\tUSD\t59.90
        111-3\tann@example.com\t2024-04-02T09:30:12+00:00\tUSD\t18.50
        """,
        """
        ann@example.com; 2024-03-14 10:15:00; 1234
        bob@example.com; 2024-03-15 18:02:41; 59.9
        ann@example.com; 2024-04-02 09:30:12; 18.5
        """,
    ),
    "Amazon, order history": Export(
        "Account; Order Date; Item Total",
        """
        Order Date,Order ID,Account,Item Total
        03/14/24,111-1,A1,"$1,234.00"
        03/15/24,111-2,A2,$59.90
        04/02/24,111-3,A1,$18.50
        """,
        """
        A1; 2024-03-14; 1234
        A2; 2024-03-15; 59.9
        A1; 2024-04-02; 18.5
        """,
        {"Order Date": "%m/%d/%y", "Item Total": POINT},
    ),
    "SAP, line items": Export(
        "Debitor; Buchungsdatum; Betrag in HW",
        """
        Debitor;Belegnr;Buchungsdatum;Betrag in HW
        0000104711;90001;14.03.2024;1.234,00
        0000104712;90002;15.03.2024;59,90
        0000104711;90003;02.04.2024;12.345,50
        0000104712;90004;03.04.2024;18,50
        """,
        """
        0000104711; 2024-03-14; 1234
        0000104712; 2024-03-15; 59.9
        0000104711; 2024-04-02; 12345.5
        0000104712; 2024-04-03; 18.5
        """,
        {"Buchungsdatum": "%d.%m.%Y", "Betrag in HW": COMMA},
    ),
    "SAP, the sign behind": Export(
        "KUNNR; BUDAT; DMBTR",
        """
        KUNNR|BUDAT|DMBTR
        104711|20240314|1.234,00
        104712|20240315|59,90
        104711|20240402|18,50-
        """,
        """
        104711; 2024-03-14; 1234
        104712; 2024-03-15; 59.9
        104711; 2024-04-02; -18.5
        """,
        {"BUDAT": "%Y%m%d", "DMBTR": COMMA},
        {"refunds": "net"},
    ),
    "PayPal, United Kingdom": Export(
        "From Email Address; Date; Gross",
        """
        "Date","Time","TimeZone","Type","Currency","Gross","From Email Address"
        "14/03/2024","10:15:00","GMT","Payment","GBP","1,234.00","ann@example.com"
        "15/03/2024","18:02:41","GMT","Payment","GBP","59.90","bob@example.com"
        "02/04/2024","09:30:12","GMT","Refund","GBP","-18.50","ann@example.com"
        """,
        """
        ann@example.com; 2024-03-14; 1234
        bob@example.com; 2024-03-15; 59.9
        ann@example.com; 2024-04-02; -18.5
        """,
        {"Date": "%d/%m/%Y", "Gross": POINT},
        {"refunds": "net"},
        encoding="utf-8-sig",
    ),
    "PayPal, Germany": Export(
        "Absender E-Mail-Adresse; Datum; Brutto",
        """
        "Datum","Uhrzeit","Währung","Brutto","Absender E-Mail-Adresse"
        "14.03.2024","10:15:00","EUR","1.234,00","ann@example.com"
        "15.03.2024","18:02:41","EUR","59,90","bob@example.com"
        "02.04.2024","09:30:12","EUR","18,50","ann@example.com"
        """,
        """
        ann@example.com; 2024-03-14; 1234
        bob@example.com; 2024-03-15; 59.9
        ann@example.com; 2024-04-02; 18.5
        """,
        {"Datum": "%d.%m.%Y", "Brutto": COMMA},
        encoding="utf-8-sig",
    ),
    "Etsy": Export(
        "Buyer User ID; Sale Date; Order Total",
        """
        Sale Date,Order ID,Buyer User ID,Order Total
        03/14/24,1,annk,"1,234.00"
        03/15/24,2,bobl,59.90
        04/02/24,3,annk,18.50
        """,
        """
        annk; 2024-03-14; 1234
        bobl; 2024-03-15; 59.9
        annk; 2024-04-02; 18.5
        """,
        {"Sale Date": "%m/%d/%y", "Order Total": POINT},
    ),
    "eBay": Export(
        "Buyer username; Sale date; Total price",
        """
        Sales record number,Buyer username,Sale date,Total price
        1,annk,14-Mar-24,"£1,234.00"
        2,bobl,15-Mar-24,£59.90
        3,annk,02-Apr-24,£18.50
        """,
        """
        annk; 2024-03-14; 1234
        bobl; 2024-03-15; 59.9
        annk; 2024-04-02; 18.5
        """,
        {"Sale date": "%d-%b-%y", "Total price": POINT},
    ),
    "Square": Export(
        "Customer ID; Date; Gross Sales",
        """
        Date,Time,Gross Sales,Customer ID
        3/14/2024,10:15:00,"$1,234.00",SQ1
        3/15/2024,18:02:41,$59.90,SQ2
        4/2/2024,09:30:12,$18.50,SQ1
        """,
        """
        SQ1; 2024-03-14; 1234
        SQ2; 2024-03-15; 59.9
        SQ1; 2024-04-02; 18.5
        """,
        {"Date": "%m/%d/%Y", "Gross Sales": POINT},
    ),
    "PrestaShop, France": Export(
        "Client; Date; Total",
        f"""
        Id;Référence;Client;Total;Date
        1;XKBKNABJK;A. Martin;1{NARROW}234,00{NO_BREAK}€;14/03/2024 10:15
        2;OHSATSERP;B. Petit;59,90{NO_BREAK}€;15/03/2024 18:02
        3;UOYEVOLI;A. Martin;18,50{NO_BREAK}€;02/04/2024 09:30
        """,
        """
        A. Martin; 2024-03-14 10:15; 1234
        B. Petit; 2024-03-15 18:02; 59.9
        A. Martin; 2024-04-02 09:30; 18.5
        """,
        {"Date": "%d/%m/%Y", "Total": COMMA},
    ),
    "Nuvemshop, Brazil": Export(
        "Cliente; Data; Total",
        """
        Pedido;Cliente;Data;Total
        1;C1;14/03/2024;R$ 1.234,00
        2;C2;15/03/2024;R$ 59,90
        3;C1;02/04/2024;R$ 18,50
        """,
        """
        C1; 2024-03-14; 1234
        C2; 2024-03-15; 59.9
        C1; 2024-04-02; 18.5
        """,
        {"Data": "%d/%m/%Y", "Total": COMMA},
    ),
    "Digitec, Switzerland": Export(
        "Kunde; Datum; Betrag",
        """
        Kunde;Datum;Betrag
        5001;14.03.2024;CHF 1'234.00
        5002;15.03.2024;CHF 59.90
        5001;02.04.2024;CHF 18.50
        """,
        """
        5001; 2024-03-14; 1234
        5002; 2024-03-15; 59.9
        5001; 2024-04-02; 18.5
        """,
        {"Datum": "%d.%m.%Y", "Betrag": POINT},
    ),
    "a shop of invoices, 2010": Export(
        "CustomerID; InvoiceDate; UnitPrice",
        """
        InvoiceNo,StockCode,InvoiceDate,UnitPrice,CustomerID
        536365,85123A,12/1/2010 8:26,2.55,17850
        536370,22728,12/1/2010 8:45,3.75,12583
        541431,23166,1/18/2011 10:01,1.04,12346
        """,
        """
        17850; 2010-12-01 08:26; 2.55
        12583; 2010-12-01 08:45; 3.75
        12346; 2011-01-18 10:01; 1.04
        """,
        {"InvoiceDate": "%m/%d/%Y"},
    ),
}

SERVICES = {
    "SaaS, invoices of Chargebee": Export(
        "Customer Id; Invoice Date; Amount (USD)",
        """
        Invoice Number,Customer Id,Invoice Date,Amount (USD)
        1,acme,14-Mar-2024 10:15,1234.00
        2,blum,15-Mar-2024 18:02,59.90
        3,acme,02-Apr-2024 09:30,18.50
        """,
        """
        acme; 2024-03-14 10:15; 1234
        blum; 2024-03-15 18:02; 59.9
        acme; 2024-04-02 09:30; 18.5
        """,
        {"Invoice Date": "%d-%b-%Y"},
    ),
    "SaaS, events in milliseconds": Export(
        "distinct_id; time; revenue",
        """
        distinct_id,time,revenue
        u1,1710411300000,9.99
        u2,1710525761000,9.99
        u1,1712050212000,19.99
        """,
        """
        u1; 2024-03-14 10:15:00; 9.99
        u2; 2024-03-15 18:02:41; 9.99
        u1; 2024-04-02 09:30:12; 19.99
        """,
        {"time": "unix_ms"},
    ),
    "SaaS, days since 1970": Export(
        "account; day; mrr",
        """
        account,day,mrr
        a1,19796,49.00
        a2,19797,99.00
        a1,19815,49.00
        """,
        """
        a1; 2024-03-14; 49
        a2; 2024-03-15; 99
        a1; 2024-04-02; 49
        """,
        {"day": "unix_days"},
    ),
    "telecom, top-ups": Export(
        "msisdn; topup_date; amount",
        """
        msisdn,topup_date,amount
        491701234567,20240314,15.00
        491701234568,20240315,25.00
        491701234567,20240402,15.00
        """,
        """
        491701234567; 2024-03-14; 15
        491701234568; 2024-03-15; 25
        491701234567; 2024-04-02; 15
        """,
        {"topup_date": "%Y%m%d"},
    ),
    "telecom, records of a database of Oracle": Export(
        "SUBSCRIBER_ID; CHARGE_DATE; CHARGE_AMT",
        """
        SUBSCRIBER_ID,CHARGE_DATE,CHARGE_AMT
        88001,14-MAR-2024,15.25
        88002,15-MAR-2024,25.5
        88001,02-APR-2024,15
        """,
        """
        88001; 2024-03-14; 15.25
        88002; 2024-03-15; 25.5
        88001; 2024-04-02; 15
        """,
        {"CHARGE_DATE": "%d-%b-%Y"},
    ),
    "donations, United Kingdom": Export(
        "Donor Ref; Gift Date; Gift Amount",
        """
        Donor Ref,Gift Date,Gift Amount,Gift Aid
        D-001,14/03/2024,"£1,000.00",Y
        D-002,15/03/2024,£25.00,N
        D-001,02/04/2024,£25.00,Y
        """,
        """
        D-001; 2024-03-14; 1000
        D-002; 2024-03-15; 25
        D-001; 2024-04-02; 25
        """,
        {"Gift Date": "%d/%m/%Y", "Gift Amount": POINT},
    ),
    "donations, United States": Export(
        "Constituent ID; Gift Date; Gift Amount",
        """
        Constituent ID,Gift Date,Gift Amount
        1001,3/14/2024,"$5,000.00"
        1002,3/15/2024,$25.00
        1001,12/31/2024,$50.00
        """,
        """
        1001; 2024-03-14; 5000
        1002; 2024-03-15; 25
        1001; 2024-12-31; 50
        """,
        {"Gift Date": "%m/%d/%Y", "Gift Amount": POINT},
    ),
    "donations, Germany": Export(
        "Spender-Nr.; Spendendatum; Betrag",
        """
        Spender-Nr.;Spendendatum;Betrag;Zweck
        1001;14.03.24;EUR 25,00;Spende
        1002;15.03.24;EUR 1.500,00;Spende
        1001;02.04.24;EUR 25,00;Spende
        """,
        """
        1001; 2024-03-14; 25
        1002; 2024-03-15; 1500
        1001; 2024-04-02; 25
        """,
        {"Spendendatum": "%d.%m.%y", "Betrag": COMMA},
    ),
    "gym, sales with the time of day": Export(
        "Client ID; Sale Date; Item Total",
        """
        Client ID,Sale Date,Item Total
        100015,3/14/2024 6:15:00 PM,$89.00
        100016,3/15/2024 7:05:30 AM,$15.00
        100015,4/2/2024 12:30:00 PM,$89.00
        100016,4/3/2024 12:10:00 AM,$15.00
        """,
        """
        100015; 2024-03-14 18:15:00; 89
        100016; 2024-03-15 07:05:30; 15
        100015; 2024-04-02 12:30:00; 89
        100016; 2024-04-03 00:10:00; 15
        """,
        {"Sale Date": "%m/%d/%Y", "Item Total": POINT},
    ),
    "gym, debits": Export(
        "Mitglied; Einzug; Beitrag",
        """
        Mitglied;Einzug;Beitrag
        M-17;15.03.2024;29,90
        M-18;15.03.2024;29,9
        M-17;15.04.2024;30
        """,
        """
        M-17; 2024-03-15; 29.9
        M-18; 2024-03-15; 29.9
        M-17; 2024-04-15; 30
        """,
        {"Einzug": "%d.%m.%Y", "Beitrag": COMMA},
    ),
    "a bank, Germany": Export(
        "Kundenreferenz; Buchungstag; Betrag",
        """
        "Buchungstag";"Kundenreferenz";"Betrag";"Waehrung"
        "14.03.24";"K1";"1.234,00";"EUR"
        "15.03.24";"K2";"59,90";"EUR"
        "02.04.24";"K1";"-18,50";"EUR"
        """,
        """
        K1; 2024-03-14; 1234
        K2; 2024-03-15; 59.9
        K1; 2024-04-02; -18.5
        """,
        {"Buchungstag": "%d.%m.%y", "Betrag": COMMA},
        {"refunds": "net"},
    ),
    "a bank, Switzerland, as it is printed": Export(
        "Kunde; Valuta; Gutschrift",
        f"""
        Kunde;Valuta;Gutschrift
        K1;14.03.2024;1{CURLY}234{CURLY}567.00
        K2;15.03.2024;59.90
        K1;02.04.2024;18.50
        """,
        """
        K1; 2024-03-14; 1234567
        K2; 2024-03-15; 59.9
        K1; 2024-04-02; 18.5
        """,
        {"Valuta": "%d.%m.%Y", "Gutschrift": POINT},
    ),
    "a ledger, refunds in brackets": Export(
        "Customer; Posted; Amount",
        """
        Customer,Posted,Amount
        K1,14/03/2024,"1,234.00"
        K2,15/03/2024,59.90
        K1,02/04/2024,(18.50)
        K2,03/04/2024,"($1,018.50)"
        K2,04/04/2024,"$2,000.00"
        """,
        """
        K1; 2024-03-14; 1234
        K2; 2024-03-15; 59.9
        K1; 2024-04-02; -18.5
        K2; 2024-04-03; -1018.5
        K2; 2024-04-04; 2000
        """,
        {"Posted": "%d/%m/%Y", "Amount": POINT},
        {"refunds": "net"},
    ),
    "refunds with the sign before the dollar": Export(
        "Customer; Posted; Amount",
        """
        Customer,Posted,Amount
        K1,03/14/2024,$34.00
        K2,03/15/2024,-$9.90
        K1,04/02/2024,$18.50
        """,
        """
        K1; 2024-03-14; 34
        K2; 2024-03-15; -9.9
        K1; 2024-04-02; 18.5
        """,
        {"Posted": "%m/%d/%Y", "Amount": POINT},
        {"refunds": "net"},
    ),
    "e-mail campaign, orders that followed": Export(
        "Subscriber; Order Time; Revenue",
        """
        Subscriber,Campaign,Order Time,Revenue
        ann@example.com,spring,2024-03-14 10:15,1234.00
        bob@example.com,spring,2024-03-15 18:02,59.90
        """,
        """
        ann@example.com; 2024-03-14 10:15; 1234
        bob@example.com; 2024-03-15 18:02; 59.9
        """,
    ),
    "a delivery service, codes of currency behind": Export(
        "customer; ordered; paid",
        """
        customer,ordered,paid
        7,14-03-2024 10:15,"1,234.00 USD"
        8,15-03-2024 18:02,59.90 USD
        7,02-04-2024 09:30,18.50 USD
        """,
        """
        7; 2024-03-14 10:15; 1234
        8; 2024-03-15 18:02; 59.9
        7; 2024-04-02 09:30; 18.5
        """,
        {"ordered": "%d-%m-%Y", "paid": POINT},
    ),
    "a shop in Poland": Export(
        "klient; data; kwota",
        """
        klient;data;kwota
        7;14.03.2024;1 234,00 PLN
        8;15.03.2024;59,90 PLN
        7;02.04.2024;18,50 PLN
        """,
        """
        7; 2024-03-14; 1234
        8; 2024-03-15; 59.9
        7; 2024-04-02; 18.5
        """,
        {"data": "%d.%m.%Y", "kwota": COMMA},
    ),
}

SPREADSHEETS = {
    "days as serial numbers": Export(
        "Customer; Order Date; Sales",
        """
        Customer,Order Date,Sales
        CG-12520,45365,261.96
        DV-13045,45366,14.62
        CG-12520,45384,957.5775
        """,
        """
        CG-12520; 2024-03-14; 261.96
        DV-13045; 2024-03-15; 14.62
        CG-12520; 2024-04-02; 957.5775
        """,
        {"Order Date": "excel"},
    ),
    "days as serial numbers with the time of day": Export(
        "Customer; Order Date; Sales",
        """
        Customer,Order Date,Sales
        CG-12520,45365.25,261.96
        DV-13045,45366.5,14.62
        CG-12520,45384.75,957.5775
        """,
        """
        CG-12520; 2024-03-14 06:00; 261.96
        DV-13045; 2024-03-15 12:00; 14.62
        CG-12520; 2024-04-02 18:00; 957.5775
        """,
        {"Order Date": "excel"},
    ),
    "decimal commas with one, two, three and four decimals": Export(  # a seen fault: only 261,96 counted
        "Customer ID; Order Date; Sales",
        """
        Order ID;Order Date;Customer ID;Sales
        CA-1;14/03/2024;CG-12520;261,96
        CA-2;15/03/2024;DV-13045;957,5775
        CA-3;02/04/2024;CG-12520;22,368
        CA-4;03/04/2024;DV-13045;48,9
        """,
        """
        CG-12520; 2024-03-14; 261.96
        DV-13045; 2024-03-15; 957.5775
        CG-12520; 2024-04-02; 22.368
        DV-13045; 2024-04-03; 48.9
        """,
        {"Order Date": "%d/%m/%Y", "Sales": COMMA},
    ),
    "four decimals alone settle it": Export(
        "id; day; amount",
        """
        id;day;amount
        1;2024-03-14;957,5775
        2;2024-03-15;22,368
        1;2024-04-02;40,368
        """,
        """
        1; 2024-03-14; 957.5775
        2; 2024-03-15; 22.368
        1; 2024-04-02; 40.368
        """,
        {"amount": COMMA},
    ),
    "one decimal alone settles it": Export(
        "id; day; amount",
        """
        id;day;amount
        1;2024-03-14;22,368
        2;2024-03-15;40,5
        1;2024-04-02;22,368
        """,
        """
        1; 2024-03-14; 22.368
        2; 2024-03-15; 40.5
        1; 2024-04-02; 22.368
        """,
        {"amount": COMMA},
    ),
    "a leading zero is no group of thousands": Export(
        "id; day; amount",
        """
        id;day;amount
        1;2024-03-14;0,368
        2;2024-03-15;1,234
        1;2024-04-02;2,345
        """,
        """
        1; 2024-03-14; 0.368
        2; 2024-03-15; 1.234
        1; 2024-04-02; 2.345
        """,
        {"amount": COMMA},
    ),
    "two groups of thousands settle it": Export(
        "id; day; amount",
        """
        id;day;amount
        1;2024-03-14;1.234.567
        2;2024-03-15;1.234
        1;2024-04-02;950
        """,
        """
        1; 2024-03-14; 1234567
        2; 2024-03-15; 1234
        1; 2024-04-02; 950
        """,
        {"amount": ""},
    ),
    "two groups with commas settle it": Export(
        "id; day; amount",
        """
        id,day,amount
        1,2024-03-14,"1,234,567"
        2,2024-03-15,"1,234"
        1,2024-04-02,950
        """,
        """
        1; 2024-03-14; 1234567
        2; 2024-03-15; 1234
        1; 2024-04-02; 950
        """,
        {"amount": ""},
    ),
    "one thousand among smaller amounts": Export(  # a seen fault: the rows in thousands were lost
        "id; day; amount",
        """
        id,day,amount
        1,2024-03-14,"1,234.00"
        2,2024-03-15,59.90
        1,2024-04-02,18
        """,
        """
        1; 2024-03-14; 1234
        2; 2024-03-15; 59.9
        1; 2024-04-02; 18
        """,
        {"amount": POINT},
    ),
    "whole numbers need no form": Export(
        "id; day; amount",
        """
        id;day;amount
        1;2024-03-14;1234
        2;2024-03-15;59
        1;2024-04-02;18
        """,
        """
        1; 2024-03-14; 1234
        2; 2024-03-15; 59
        1; 2024-04-02; 18
        """,
    ),
    "one day after the 12th settles a column": Export(
        "id; day; amount",
        """
        id,day,amount
        1,03/04/2024,10
        2,05/06/2024,20
        1,13/06/2024,30
        2,07/08/2024,40
        """,
        """
        1; 2024-04-03; 10
        2; 2024-06-05; 20
        1; 2024-06-13; 30
        2; 2024-08-07; 40
        """,
        {"day": "%d/%m/%Y"},
    ),
    "one 13th in the middle settles a column": Export(
        "id; day; amount",
        """
        id,day,amount
        1,3/4/2024,10
        2,5/6/2024,20
        1,6/13/2024,30
        2,7/8/2024,40
        """,
        """
        1; 2024-03-04; 10
        2; 2024-05-06; 20
        1; 2024-06-13; 30
        2; 2024-07-08; 40
        """,
        {"day": "%m/%d/%Y"},
    ),
    "points between day, month and year have one order": Export(
        "id; day; amount",
        """
        id;day;amount
        1;03.04.2024;10
        2;05.06.2024;20
        1;7.8.2024;30
        """,
        """
        1; 2024-04-03; 10
        2; 2024-06-05; 20
        1; 2024-08-07; 30
        """,
        {"day": "%d.%m.%Y"},
    ),
    "blanks around days and amounts are no part of them": Export(
        "id; day; amount",
        """
        id;day;amount
        1; 14/03/2024 ; 1.234,00\u0020
        2;15/03/2024 ;\t59,90
        1; 02/04/2024;18,50
        """,
        """
        1; 2024-03-14; 1234
        2; 2024-03-15; 59.9
        1; 2024-04-02; 18.5
        """,
        {"day": "%d/%m/%Y", "amount": COMMA},
    ),
    "empty cells are set aside": Export(
        "id; day; amount",
        """
        id;day;amount
        1;14/03/2024;1.234,00
        2;;59,90
        1;02/04/2024;
        2;15/04/2024;18,50
        """,
        """
        1; 2024-03-14; 1234
        2; 2024-04-15; 18.5
        """,
        {"day": "%d/%m/%Y", "amount": COMMA},
        {"max_set_aside": 0.9},
        set_aside=2,
    ),
    "names of columns with blanks, points and quotes": Export(
        'Kunde "neu"; Datum (TT.MM.); Betrag in €.',
        '''
        "Kunde ""neu""";Datum (TT.MM.);Betrag in €.
        1;14.03.2024;1.234,00
        2;15.03.2024;59,90
        ''',
        """
        1; 2024-03-14; 1234
        2; 2024-03-15; 59.9
        """,
        {"Datum (TT.MM.)": "%d.%m.%Y", "Betrag in €.": COMMA},
    ),
}
EXPORTS = SHOPS | SERVICES | SPREADSHEETS

FRAMES = {
    "workbook": lambda export, folder: to_workbook(export.frame.to_dict("list"), folder),
    "pandas": lambda export, _: export.frame,
    "Polars": lambda export, _: pl.DataFrame(export.frame.to_dict("list")),
    "DuckDB": lambda export, _: duckdb.from_df(export.frame),
}


def assert_means(log, export):
    """Every row, and with it the number of rows, the first and the last day, and the sum of the amounts."""
    rows, expected = comparable(rows_of(log)), comparable(export.rows)
    assert rows.to_numpy().tolist() == expected.to_numpy().tolist()
    assert log.rows == len(expected)
    assert str(log.first_date)[:10] == str(expected["date"].min())[:10]
    assert str(log.last_date)[:10] == str(expected["date"].max())[:10]
    assert sum(log.set_aside.values()) == export.set_aside


def comparable(rows):
    """The rows with ids as text without zeros in front, times of their own zone, and amounts to the cent of a cent."""
    ids, dates = rows["customer_id"].astype(str).str.lstrip("0"), rows["date"]
    dates = dates.dt.tz_localize(None) if getattr(dates.dtype, "tz", None) else dates
    rows = rows.assign(customer_id=ids, date=dates, amount=rows["amount"].round(4))
    return rows.sort_values(list(rows), ignore_index=True)


def assert_formats(log, export):
    assert set(log.formats) == set(export.formats)
    for column, words in export.formats.items():
        assert log.formats[column].startswith(words)


@pytest.mark.parametrize("name", EXPORTS)
def test_an_export_is_read_as_it_is(name, tmp_path):
    export = EXPORTS[name]
    log = rm.read_transactions(export.write(tmp_path / "export.csv"), **export.keywords)
    assert_means(log, export)
    assert_formats(log, export)


@pytest.mark.parametrize("kind", FRAMES)
@pytest.mark.parametrize("name", EXPORTS)
def test_the_same_text_in_a_frame_has_the_same_forms(name, kind, tmp_path):
    export = EXPORTS[name]
    log = rm.read_transactions(FRAMES[kind](export, tmp_path), **export.keywords)
    assert_means(log, export)
    assert_formats(log, export)


@pytest.mark.parametrize("name", EXPORTS)
def test_the_plain_writing_of_an_export_is_the_same_log(name, tmp_path):
    """What the tests expect is itself read without any of the forms: ISO days and decimal points."""
    export = EXPORTS[name]
    plain = export.rows
    plain["date"] = plain["date"].dt.strftime("%Y-%m-%d %H:%M:%S")
    plain.to_csv(tmp_path / "plain.csv", index=False)
    assert_means(rm.read_transactions(tmp_path / "plain.csv", refunds="net"), replace(export, set_aside=0))
