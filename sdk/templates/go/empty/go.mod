module example/@NAME@

go 1.25
