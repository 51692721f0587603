module lab.invalid/program

go 1.25
